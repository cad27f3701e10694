"""A whole lab on one machine: the stand-in for GitHub, the bot, and the user `you`. No account, no key, no network."""

import json
import re
import secrets
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from bot import shipped
from bot.comments import CHECK
from bot.events import parse_request
from bot.folder import LOG, REPORT, ROOT, is_folder_of
from bot.lab import PATH as CONFIG
from bot.local.people import Person
from bot.local.server import HOST, LocalGitHub
from bot.models.model import Model
from bot.records import Record, by_run, from_json
from bot.server import Server, listen_on
from bot.settings import Settings

LAB = "you/lab"
YOU = "you"
SLUG = "trainwright"
SWEEP_SECONDS = 20.0
LAG_SECONDS = 2.0
"""The stand-in of the demo shows at once what was written; its times are in whole seconds."""

TITLE = "How low can bits per byte go in a short training?"
IDEA = """### Idea

Train a byte-level language model on the Python standard library's own source, which every Python has. How low can \
bits per byte on held-out files go in one short training on this machine? Find out which choices of architecture and \
training matter most at this budget.

### Primary metric

`val_bpb` (bits per byte on held-out files), lower is better

### Budget

_No response_

### Constraints

About 5 % of the files are held out. Print byte n-grams on the same split for comparison.
"""

README = """# A lab of Trainwright

Open an issue with the form *Experiment*. The bot turns the idea into a plan and one pull request per run, trains each
on this machine, and tells what came out. Merge what you want to keep, close what you do not.
"""


@dataclass(frozen=True)
class Options:
    """How the lab is set up: budget of runs, seconds of one training, the model of every role."""

    runs: int = 4
    seconds: int = 20
    model: str = "baseline"


class LocalLab:
    """The stand-in and the bot on one folder. Started again on the same folder, everything goes on where it was."""

    def __init__(self, folder: Path, *, port: int, options: Options, open_model: Callable[[str], Model]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._listener = listen_on(HOST, 0)
        self.github = LocalGitHub(folder / "github", port=port)
        self.url = f"{self.github.url}/{LAB}"
        secret = _secret(folder / "webhook-secret")
        self.github.create_user(YOU)
        self.github.create_repo(LAB, files=lab_files(options))
        app = self.github.create_app(
            SLUG,
            owner=YOU,
            webhook_url=f"http://{HOST}:{self._listener.getsockname()[1]}/webhook",
            webhook_secret=secret,
        )
        self.github.install(app.app_id, LAB)
        settings = Settings(
            app_id=str(app.app_id),
            private_key=app.private_key,
            webhook_secret=secret,
            api_url=self.github.api_url,
            database=f"sqlite:///{folder / 'ledger.db'}",
            model=options.model,
            sweep_seconds=SWEEP_SECONDS,
            lag_seconds=LAG_SECONDS,
            pace=False,
        )
        self._bot = Server(settings, open_model=open_model, listen=self._listener)
        self.you = self.github.person(YOU, LAB)

    def start(self) -> None:
        self.github.start()
        self._bot.start()

    def stop(self) -> None:
        """The trainings first, so that none outlives us; then the bot, then the stand-in."""
        self.github.jobs.stop()
        self._bot.stop()
        self.you.close()
        self.github.stop()

    def open_experiment(self, title: str, body: str) -> int:
        """The lab's first experiment; a second start finds the one that is there."""
        found = self.you.issues(labels="experiment")
        issues = [issue for issue in found if "pull_request" not in issue]
        issue = issues[-1] if issues else self.you.open_issue(title, body, labels=("experiment",))
        return int(issue["number"])

    def records(self, experiment: int) -> list[Record]:
        """The experiment's runs, as main tells them."""
        paths = [path for path in self.you.list_files(ROOT) if _is_record(experiment, path)]
        texts = [self.you.read_file(path) for path in paths]
        return by_run(from_json(text) for text in texts if text)

    def check_out(self, experiment: int) -> tuple[Path, list[Path]]:
        """A clone of the lab for reading, and where the documents of the experiment lie in it."""
        clone = self.folder / "lab"
        source = f"{self.folder / 'github' / 'repos' / LAB}.git"
        if clone.exists():
            subprocess.run(["git", "-C", clone, "pull", "-q", "--ff-only"], check=True)
        else:
            subprocess.run(["git", "clone", "-q", source, clone], check=True)
        folder = next(path for path in (clone / ROOT).iterdir() if is_folder_of(experiment, path.name))
        return clone, [folder / name for name in (REPORT, LOG) if (folder / name).exists()]


def lab_files(options: Options) -> dict[str, bytes]:
    """What a new lab begins with: the real workflow and issue form, and a configuration for this machine."""
    config = {
        "models": options.model,
        "budget": {"runs": options.runs},
        "runner": {"labels": ["self-hosted"], "seconds": options.seconds},
    }
    return {
        "README.md": README.encode(),
        CONFIG: yaml.safe_dump(config, sort_keys=False).encode(),
        shipped.WORKFLOW: shipped.path(shipped.WORKFLOW).read_bytes(),
        shipped.ISSUE_FORM: shipped.path(shipped.ISSUE_FORM).read_bytes(),
    }


def _secret(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16))
    return path.read_text()


def _is_record(experiment: int, path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 4 and is_folder_of(experiment, parts[1]) and parts[2] == "runs"


class Reviewer:
    """The user `you` in the demo: merges what improved and closes what did not, by the check on the pull request."""

    def __init__(self, you: Person, *, every: float = 0.5) -> None:
        self._you = you
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reviewer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _work(self) -> None:
        while not self._stopping.wait(self._every):
            try:
                self.review()
            except httpx2.HTTPError:
                continue  # the head moved between looking and merging, or the server is stopping: look again

    def review(self) -> None:
        for pull in self._you.pulls():
            result = result_check(self._you, pull["head"]["sha"])
            if pull["head"]["ref"].rsplit("/", 1)[-1].startswith("report-") or _says(result, "success"):
                self._you.merge(pull["number"], sha=pull["head"]["sha"])
            elif _says(result, "neutral") or _says(result, "failure"):
                self._you.close_pull(pull["number"])


def result_check(you: Person, sha: str) -> dict[str, Any] | None:
    return next((check for check in you.checks(sha) if check["name"] == CHECK), None)


def _says(check: dict[str, Any] | None, conclusion: str) -> bool:
    return check is not None and check["status"] == "completed" and check["conclusion"] == conclusion


@dataclass(frozen=True)
class News:
    """Where the experiment stands, for the terminal: what happened since the last time, and what goes on now."""

    events: tuple[str, ...]
    live: str
    done: bool
    paused: str


class Watcher:
    """Turns what GitHub shows into lines for a terminal: each event once, and the training under way."""

    def __init__(self, lab: LocalLab, experiment: int) -> None:
        self._lab = lab
        self._experiment = experiment
        self._told: set[str] = set()

    def news(self) -> News:
        issue = self._lab.you.issue(self._experiment)
        labels = {label["name"] for label in issue["labels"]}
        lines = [line for pull in self._lab.you.pulls(state="all") for line in self._lines(pull)]
        fresh = tuple(line for line in lines if line not in self._told)
        self._told |= set(fresh)
        paused = self._status_comment() if "paused" in labels else ""
        return News(fresh, self._live(), issue["state"] == "closed", paused)

    def _lines(self, pull: dict[str, Any]) -> list[str]:
        number, title = pull["number"], pull["title"]
        lines = [f"#{number} {title}"]
        check = result_check(self._lab.you, pull["head"]["sha"])
        if check and check["status"] == "completed":
            lines.append(f"#{number} {check['output']['title']}")
        if pull["merged_at"]:
            lines.append(f"#{number} merged")
        elif pull["state"] == "closed":
            lines.append(f"#{number} closed without merging")
        return lines

    def _live(self) -> str:
        """Stage and run; while one trains, its newest step and metric and the time that is left."""
        running = next((run for run in self._lab.you.runs() if run["status"] == "in_progress"), None)
        request = parse_request(running["display_title"]) if running else None
        if running is None or request is None:
            return self._between_trainings()
        log = self._lab.github.jobs.live_log(running["id"])
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        said = [line.partition("trainwright: ")[2] for line in lines if "trainwright: " in line]
        return f"training run {request.run} · {with_time_left(said[-1])}" if said else f"training run {request.run}"

    def _between_trainings(self) -> str:
        open_pulls = self._lab.you.pulls()
        if not open_pulls:
            return "planning the next run"
        check = result_check(self._lab.you, open_pulls[-1]["head"]["sha"])
        if open_pulls[-1]["head"]["ref"].rsplit("/", 1)[-1].startswith("report-") or (check and check["conclusion"]):
            return f"waiting for review · {open_pulls[-1]['html_url']}"
        return "analysing" if check else "waiting for the runner"

    def _status_comment(self) -> str:
        bodies = [c["body"] for c in self._lab.you.comments(self._experiment) if c["user"]["type"] == "Bot"]
        return bodies[0] if bodies else ""


def with_time_left(progress: str) -> str:
    """`4 s of 20 s, step 51, loss 2.936` → the same, and how long it still trains."""
    time = re.match(r"(\d+) s of (\d+) s", progress)
    if time is None:
        return progress
    left = int(time[2]) - int(time[1])
    return f"{progress} · {left} s left" if left > 0 else f"{progress} · evaluating"


def saved_options(folder: Path, options: Options) -> Options:
    """A lab that exists keeps the options that it was made with."""
    path = folder / "options.json"
    if path.exists():
        return Options(**json.loads(path.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(options.__dict__))
    return options
