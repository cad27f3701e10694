"""A stand-in with a lab, an app installed in it, and a real HTTP server that receives the app's webhooks."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github, GithubIntegration
from github.Repository import Repository

from bot.local.accounts import AppCredentials
from bot.local.people import Person
from bot.local.server import LocalGitHub

SECRET = "It's a Secret to Everybody"
LAB = "you/lab"
TRAIN = Path(__file__).with_name("train.yml").read_bytes()


@dataclass(frozen=True)
class Hook:
    """One delivery, as it arrived."""

    event: str
    guid: str
    signature: str
    agent: str
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    @property
    def name(self) -> str:
        return f"{self.event}.{self.payload['action']}" if "action" in self.payload else self.event


@dataclass
class Receiver:
    url: str = ""
    hooks: list[Hook] = field(default_factory=list)
    status: int = 202

    def names(self) -> list[str]:
        return [hook.name for hook in self.hooks]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            names = ("X-GitHub-Event", "X-GitHub-Delivery", "X-Hub-Signature-256", "User-Agent")
            event, guid, signature, agent = (self.headers[name] for name in names)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.hooks.append(Hook(event, guid, signature, agent, body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class World:
    """A running stand-in and everybody in it."""

    local: LocalGitHub
    app: AppCredentials
    receiver: Receiver
    integration: GithubIntegration
    bot: Github
    you: Person

    @property
    def lab(self) -> Repository:
        """As the bot sees it, by PyGithub."""
        return self.bot.get_repo(LAB)

    def hooks_of(self, act: Callable[[], object]) -> list[Hook]:
        """The deliveries that an act brings about."""
        assert self.local.courier.wait_until_idle()
        before = len(self.receiver.hooks)
        act()
        assert self.local.courier.wait_until_idle()
        return self.receiver.hooks[before:]

    def branch(self, name: str, files: dict[str, str], *, message: str = "Work") -> str:
        """A branch with one commit on main, made by the bot as the gateway does it."""
        main = self.lab.get_git_ref("heads/main").object.sha
        sha = self.commit(main, files, message=message)
        self.lab.create_git_ref(f"refs/heads/{name}", sha)
        return sha

    def commit(self, parent: str, files: dict[str, str], *, message: str = "Work") -> str:
        requester, url = self.bot.requester, f"/repos/{LAB}/git"
        lines = [{"path": path, "mode": "100644", "type": "blob", "content": text} for path, text in files.items()]
        tree = requester.requestJsonAndCheck("POST", f"{url}/trees", input={"base_tree": parent, "tree": lines})[1]
        new = {"message": message, "tree": tree["sha"], "parents": [parent]}
        return str(requester.requestJsonAndCheck("POST", f"{url}/commits", input=new)[1]["sha"])


def make_world(folder: Path, receiver: Receiver, *, runners: int = 1) -> World:
    local = LocalGitHub(folder, runners=runners)
    local.start()
    local.create_repo(LAB, files={"README.md": b"A lab.\n", ".github/workflows/train.yml": TRAIN})
    app = local.create_app("trainwright", owner="you", webhook_url=receiver.url, webhook_secret=SECRET)
    number = local.install(app.app_id, LAB)
    integration = GithubIntegration(
        auth=Auth.AppAuth(app.app_id, app.private_key),
        base_url=local.api_url,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    return World(
        local=local,
        app=app,
        receiver=receiver,
        integration=integration,
        bot=integration.get_github_for_installation(number),
        you=local.person("you", LAB),
    )


def end_world(world: World) -> None:
    world.you.close()
    world.bot.close()
    world.integration.close()
    world.local.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[World]:
    world = make_world(tmp_path_factory.mktemp("github"), receiver)
    yield world
    end_world(world)
