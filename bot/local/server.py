"""The stand-in as a whole: one folder, one address on the loopback interface.

    github = LocalGitHub(folder)
    github.start()
    token = github.create_user("you")
    …
    github.stop()

Started again on the same folder it goes on: same ids, tokens and keys, and with `port` the same addresses.
"""

import os
import shutil
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import Scope

from bot.local import pages, rest, rest_actions
from bot.local.accounts import AppCredentials
from bot.local.faults import Faults
from bot.local.gate import Gate
from bot.local.hub import Hub
from bot.local.jobs import Jobs
from bot.local.people import Person
from bot.local.rest_base import add_error_handlers
from bot.local.rows import Repository
from bot.local.store import Store
from bot.local.webhooks import Courier, Plan, as_it_comes

HOST = "127.0.0.1"
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


class LocalGitHub:
    """`environment` is what jobs may see of ours: PATH, HOME, LANG and TMPDIR of it, and nothing else.

    `faults` are the switches that make it as hard as GitHub; they can be turned while it runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        runners: int = 1,
        environment: Mapping[str, str] | None = None,
        plan: Plan = as_it_comes,
        faults: Faults | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.api_url = f"{self.url}{rest.PREFIX}"
        self.faults = faults or Faults()
        self.store = Store(folder / "github.sqlite3")
        self.courier = Courier(self.store, plan=plan, faults=self.faults)
        given = {name: value for name, value in (environment or {}).items() if name in PASSED_ON}
        self.hub = Hub.assemble(
            folder,
            store=self.store,
            courier=self.courier,
            url=self.url,
            runners=runners,
            environment={"PATH": _default_path(), **given},
            faults=self.faults,
        )
        self.faults.revoke_tokens = self.hub.accounts.revoke_tokens
        self.app = _application(self.hub)
        gate = Gate(self.app, faults=self.faults, app_of=self.hub.accounts.app_of_token, hang_up=self._hang_up)
        self._server = uvicorn.Server(
            uvicorn.Config(gate, log_level="warning", lifespan="off", access_log=False, timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._serve, name="local-github", daemon=True)

    @property
    def jobs(self) -> Jobs:
        return self.hub.jobs

    def start(self) -> None:
        """Returns when requests are answered: the socket listens already, what comes early waits in its queue."""
        self._thread.start()
        self.courier.start()
        self.hub.jobs.start()

    def stop(self) -> None:
        """Leaves no process and no open file; within seconds."""
        self.hub.jobs.stop()
        self.courier.stop()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()
        self.hub.repos.close()
        self.hub.past.close()
        self.store.close()

    # What a person would click together on github.com

    def create_user(self, login: str) -> str:
        """Their token."""
        return self.hub.accounts.create_user(login)

    def create_repo(
        self,
        full_name: str,
        *,
        files: Mapping[str, bytes],
        private: bool = False,
        delete_branch_on_merge: bool = True,
    ) -> Repository:
        return self.hub.accounts.create_repo(
            full_name, files=files, private=private, delete_branch_on_merge=delete_branch_on_merge
        )

    def set_permission(self, full_name: str, login: str, role: str) -> None:
        """none, read, triage, write, maintain or admin."""
        self.hub.accounts.set_permission(self._repo(full_name), login, role)

    def create_app(self, slug: str, *, owner: str, webhook_url: str, webhook_secret: str) -> AppCredentials:
        return self.hub.accounts.create_app(slug, owner=owner, webhook_url=webhook_url, webhook_secret=webhook_secret)

    def install(self, app_id: int, full_name: str) -> int:
        """The installation's id."""
        return self.hub.accounts.install(app_id, self._repo(full_name)).id

    def delete_issue(self, full_name: str, number: int) -> None:
        """By the repository's owner; an API request cannot do it."""
        repo = self._repo(full_name)
        self.hub.issues.delete(repo, number, actor=self.hub.accounts.actor(repo.owner))

    def transfer_issue(self, full_name: str, number: int, other_full_name: str) -> int:
        """By the repository's owner; its new number."""
        repo, other = self._repo(full_name), self._repo(other_full_name)
        actor = self.hub.accounts.actor(repo.owner)
        return self.hub.issues.transfer(repo, number, actor=actor, to=other).number

    def person(self, login: str, full_name: str) -> Person:
        """Acts in one repository over HTTP, as a user that is created where needed."""
        return Person(login, token=self.create_user(login), api_url=self.api_url, repo=full_name)

    def _repo(self, full_name: str) -> Repository:
        owner, _, name = full_name.partition("/")
        return self.hub.accounts.repository(owner, name)

    def _hang_up(self, scope: Scope) -> None:
        """Closes the connection that a call came in by. uvicorn gives its applications no way to do so."""
        for connection in self._server.server_state.connections:
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _application(hub: Hub) -> FastAPI:
    app = FastAPI(title="GitHub on one machine", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    add_error_handlers(app)
    app.include_router(rest_actions.storage)
    app.include_router(rest.routes())
    # Last, for it answers every address that nothing else knows.
    app.include_router(pages.router(hub))
    return app


def _listen(port: int) -> socket.socket:
    """Bound at once, so that the address is known before the server runs."""
    # asyncio switches Nagle's delay off (40 ms an answer) only where the socket names its protocol.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(512)
    return listener


def _default_path() -> str:
    """Where python and git are, and the system's own folders."""
    git = shutil.which("git")
    folders = [Path(sys.executable).parent, *([Path(git).parent] if git else []), *os.defpath.split(os.pathsep)]
    return os.pathsep.join(dict.fromkeys(str(folder) for folder in folders if str(folder)))
