"""A story: the stand-in for GitHub, the bot, a scripted model, and trainings of a fraction of a second.

Everything goes the way it goes in production: signed webhooks in, PyGithub out, main's train.yml run as a job.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bot import shipped
from bot.comments import CHECK
from bot.folder import ROOT, is_folder_of
from bot.lab import PATH as CONFIG
from bot.local.faults import Faults
from bot.local.people import Person
from bot.local.server import HOST, LocalGitHub
from bot.local.webhooks import Plan, as_it_comes
from bot.models.model import Prompt, Role
from bot.models.scripted import Scripted
from bot.records import Record, from_json
from bot.server import Server, listen_on
from bot.settings import Settings

LAB = "ada/lab"
SECRET = "a secret that both sides know"
PATIENCE = 40.0

PLAN = """## Plan
Fit the smallest model that can show the idea.

## Primary metric
`loss`, lower is better

## Tasks
- [ ] Write the first version
- [ ] Try a larger model
- [ ] Try another optimiser
"""

TRAIN = '''"""A training of no time: what the harness would write, without torch."""

import json
import os
from pathlib import Path

LOSS = {loss}
out = Path(os.environ["TRAINWRIGHT_OUT"])
with open(out / "metrics.jsonl", "w") as file:
    for step in range(10):
        file.write(json.dumps({{"step": step, "seconds": step / 10, "loss": LOSS + 1 / (step + 1)}}) + "\\n")
    file.write(json.dumps({{"final": True, "step": 9, "seconds": 1.0, "loss": LOSS}}) + "\\n")
print("loss", LOSS)
'''

CRASH = '''"""A training that breaks in its last line."""

values = []
print("training")
print(values[3])
'''


def code(train: str, *, change: str = "`LOSS`: lower", task: str = "Write the first version") -> str:
    return f"""## Hypothesis
A change of {change} lowers the loss.

## Change
{change}

## Tasks
- {task}

## Expected effect
The loss falls a little.

## Code
```python
{train}
```
"""


def trained(loss: float, **words: str) -> str:
    """A coder's reply whose training ends with this loss."""
    return code(TRAIN.format(loss=loss), **words)


def repair(train: str) -> str:
    words = "## Cause\nAn index was out of range.\n\n## Fix\nThe list is long enough now.\n\n"
    return f"{words}## Code\n```python\n{train}\n```\n"


SUMMARY = "## Summary\n- It ran to its end.\n- The loss went down.\n"


def analysis(*, next_: str = "continue", tasks: str = "none", finding: str = "The loss fell.") -> str:
    return f"""## Analysis
The loss is lower than it was.

## Key findings
- {finding}

## Tasks
- {tasks}

## Recommendation
merge: the loss fell.

## Next
{next_}: there is more to try.
"""


REPORT = """## Answer
Yes, it does.

## Results
A larger model helped.

## Limits
One seed a run.

## Next steps
- Try more seeds.
"""

REVISION = """## What changed
The optimiser comes first now.

## Plan
Try optimisers before anything else.

## Tasks
- [x] Write the first version
- [ ] Try another optimiser
"""


class Script:
    """The model of a story. Each role has its replies, in order; the last one is given again and again."""

    def __init__(self, **replies: list[str]) -> None:
        defaults = {
            "planner": [PLAN, REVISION],
            "coder": [trained(2.0), trained(1.5), trained(1.0)],
            "summarizer": [SUMMARY],
            "analyst": [analysis()],
            "reporter": [REPORT],
        }
        self._replies = {role: list(texts) for role, texts in {**defaults, **replies}.items()}
        self.prompts: list[Prompt] = []
        self.meanwhile: Callable[[Prompt], None] = lambda prompt: None
        """What happens while the model thinks."""

    def __call__(self, prompt: Prompt) -> str:
        self.prompts.append(prompt)
        self.meanwhile(prompt)
        replies = self._replies[prompt.role]
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def replies(self, role: Role) -> list[str]:
        """Those that are left."""
        return list(self._replies[role])

    def asked(self, role: Role) -> list[Prompt]:
        return [prompt for prompt in self.prompts if prompt.role is role]


class Story:
    """`ada` owns the lab, and has the experiment opened as issue 1 by `begin`."""

    def __init__(
        self,
        folder: Path,
        *,
        script: Script | None = None,
        runs: int = 2,
        seconds: int = 5,
        plan: Plan = as_it_comes,
        faults: Faults | None = None,
        sweep_seconds: float = 3600.0,
        lag_seconds: float = 2.0,
        config: dict[str, Any] | None = None,
        files: dict[str, bytes] | None = None,
    ) -> None:
        self.script = script or Script()
        self.folder = folder
        settings = {
            "budget": {"runs": runs},
            "runner": {"labels": ["self-hosted"], "seconds": seconds},
            **(config or {}),
        }
        self.github = LocalGitHub(folder / "github", plan=plan, faults=faults)
        self.github.create_user("ada")
        self.github.create_repo(
            LAB,
            files={
                CONFIG: yaml.safe_dump(settings).encode(),
                shipped.WORKFLOW: shipped.path(shipped.WORKFLOW).read_bytes(),
                **(files or {}),
            },
        )
        self.ada = self.github.person("ada", LAB)
        self._people = [self.ada]
        self._sweep_seconds = sweep_seconds
        self._lag_seconds = lag_seconds
        self.github.start()
        self._bot: Server | None = None
        self.start_bot()

    def start_bot(self) -> None:
        listener = listen_on(HOST, 0)
        url = f"http://{HOST}:{listener.getsockname()[1]}/webhook"
        app = self.github.create_app("trainwright", owner="ada", webhook_url=url, webhook_secret=SECRET)
        self.github.install(app.app_id, LAB)
        settings = Settings(
            app_id=str(app.app_id),
            private_key=app.private_key,
            webhook_secret=SECRET,
            api_url=self.github.api_url,
            database=f"sqlite:///{self.folder / 'ledger.db'}",
            model="scripted",
            sweep_seconds=self._sweep_seconds,
            lag_seconds=self._lag_seconds,
            limit_seconds=1.0,
            pace=False,
        )
        model = Scripted("scripted", self.script)
        self._bot = Server(settings, open_model=lambda name: model, listen=listener)
        self._bot.start()

    def stop_bot(self) -> None:
        if self._bot:
            self._bot.stop()
            self._bot = None

    def end(self) -> None:
        self.github.jobs.stop()
        self.stop_bot()
        for person in self._people:
            person.close()
        self.github.stop()

    def sweep(self) -> None:
        assert self._bot is not None
        self._bot.controller.sweep()

    def person(self, login: str, *, role: str = "none") -> Person:
        person = self.github.person(login, LAB)
        self.github.set_permission(LAB, login, role)
        self._people.append(person)
        return person

    # What happens

    def begin(self, body: str = "Does a larger model help?", *, title: str = "Larger models") -> int:
        return int(self.ada.open_issue(title, body, labels=("experiment",))["number"])

    # What can be seen

    def wait(self, what: str, seen: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
        """What `seen` finds as soon as it finds something."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            found = seen()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never came: {what}\n{self.account()}")

    def pull(self, run: str) -> dict[str, Any] | None:
        ends = f"/run-{run}" if run != "report" else "/report-"
        found = [pull for pull in self.ada.pulls(state="all") if ends in pull["head"]["ref"]]
        return found[-1] if found else None

    def opened(self, run: str) -> dict[str, Any]:
        """The run's pull request, as soon as there is one."""
        found: dict[str, Any] = self.wait(f"pull request of run {run}", lambda: self.pull(run))
        return found

    def concluded(self, run: str) -> dict[str, Any]:
        """The run's pull request with its result said: the check has a conclusion."""

        def seen() -> dict[str, Any] | None:
            pull = self.pull(run)
            done = pull and any(c["name"] == CHECK and c["conclusion"] for c in self.ada.checks(pull["head"]["sha"]))
            return pull if done else None

        found: dict[str, Any] = self.wait(f"result of run {run}", seen)
        return found

    def status(self, issue: int = 1) -> str:
        bodies = [c["body"] for c in self.ada.comments(issue) if "trainwright: status" in c["body"]]
        return str(bodies[0]) if bodies else ""

    def said(self, thread: int) -> str:
        """All that the bot said there."""
        return "\n\n".join(c["body"] for c in self.ada.comments(thread) if c["user"]["login"] == "trainwright[bot]")

    def labels(self, issue: int = 1) -> set[str]:
        return {label["name"] for label in self.ada.issue(issue)["labels"]}

    def path(self, name: str, ref: str = "main", issue: int = 1) -> str:
        """Where a file of the experiment's folder lies."""
        found = [path for path in self.ada.list_files(ROOT, ref=ref) if path.endswith(f"/{name}")]
        return next(path for path in found if is_folder_of(issue, path.split("/")[1]))

    def edit(self, name: str, change: Callable[[str], str], *, ref: str = "main") -> None:
        """ada changes a file of the experiment's folder."""
        path = self.path(name, ref)
        self.ada.edit_file(path, change(self.ada.read_file(path, ref=ref) or ""), branch=ref)

    def folder_at(self, ref: str = "main", issue: int = 1) -> dict[str, str]:
        """The experiment's folder: its texts by name."""
        found = {}
        for path in self.ada.list_files(ROOT, ref=ref):
            _, folder, name = path.split("/", 2)
            if is_folder_of(issue, folder) and not name.endswith(".png"):
                found[name] = self.ada.read_file(path, ref=ref) or ""
        return found

    def record(self, run: str, ref: str = "main") -> Record:
        return from_json(self.folder_at(ref)[f"runs/run-{run}.json"])

    def trainings(self) -> list[dict[str, Any]]:
        return [run for run in self.ada.runs() if re.match(r"Train #", run["display_title"])]

    def closed(self, issue: int = 1) -> bool:
        return bool(self.wait("end of the experiment", lambda: self.ada.issue(issue)["state"] == "closed"))

    def account(self) -> str:
        """Everything that can be seen, for the reader of a failed test."""
        threads = [1, *(pull["number"] for pull in self.ada.pulls(state="all"))]
        lines = [f"--- #{thread}\n{self.said(thread)}" for thread in threads]
        runs = [f"{r['display_title']} {r['status']} {r['conclusion']}" for r in self.trainings()]
        logs = [self.github.jobs.live_log(r["id"]).read_text(errors="replace")[-2000:] for r in self.trainings()[:1]]
        return "\n".join([*lines, *runs, *logs])
