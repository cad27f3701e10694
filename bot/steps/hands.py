"""What every step works with: GitHub, the ledger, models; and the few ways in which a step writes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from bot.asking import Asker, Told
from bot.desired import thread
from bot.errors import Lagging
from bot.experiment import Experiment, Run
from bot.folder import IDEA, Folder
from bot.gateway import Gateway
from bot.ledger import Ledger, Slot
from bot.models.model import Prompt
from bot.outcome import bars
from bot.pieces import Note, find_note, posted
from bot.plots import draw_progress
from bot.prompts import Context
from bot.records import Metric, Record
from bot.sanitise import safe_line

T = TypeVar("T")
Files = dict[str, str | bytes]

LAG = timedelta(seconds=60)
"""So long a write may be missing from GitHub's lists before it is taken for lost."""


@dataclass(frozen=True)
class Hands:
    """One lab. A write may raise Lagging when it has to be seen to have happened before one goes on."""

    gateway: Gateway
    ledger: Ledger
    asker: Asker
    default_model: str
    clock: Callable[[], datetime]

    def ask(self, x: Experiment, prompt: Prompt, read: Callable[[str], T], *, run: str, cause: str) -> Told[T]:
        slot = Slot(x.lab, x.number, run, prompt.role, cause, 0)
        model = x.config.model_for(prompt.role, default=self.default_model)
        return self.asker.ask(prompt, read, slot=slot, model=model, resumptions=x.resumptions)

    def context(self, x: Experiment, folder: Folder, records: Sequence[Record]) -> Context:
        return Context(
            issue=x.number,
            title=x.title,
            idea=folder.text(IDEA) or x.body,
            seconds=x.config.runner.seconds,
            records=tuple(records),
            folder=folder,
        )

    def branch(self, x: Experiment, branch: str, files: Mapping[str, str | bytes], message: str) -> None:
        """A branch from main, born whole."""
        paths = {f"{x.main.path}/{name}": content for name, content in files.items()}
        sha = self.gateway.commit(parent=x.main.commit, files=paths, message=_headline(message))
        self.gateway.create_branch(branch, sha)

    def add_commit(self, x: Experiment, run: Run, files: Mapping[str, str | bytes], message: str) -> None:
        """One commit on the branch as we saw it; raises Moved when it has gone on."""
        assert run.pull is not None
        paths = {f"{run.folder.path}/{name}": content for name, content in files.items()}
        sha = self.gateway.commit(parent=run.pull.head, files=paths, message=_headline(message))
        self.gateway.move_branch(run.pull.branch, sha)

    def comment(self, x: Experiment, note: Note) -> None:
        """A comment that is there already, by its mark, is not posted again."""
        if find_note(thread(x, note.thread), note) is None:
            key = f"comment {note.thread} {note.mark}"
            self.once(x, key, lambda: self.gateway.comment(note.thread, posted(note)))

    def once(self, x: Experiment, key: str, write: Callable[[], None]) -> None:
        """A write that makes something new. GitHub's lists lag, so it is not repeated within a minute."""
        key, now = f"{x.lab}#{x.number} {key}", self.clock()
        intent = self.ledger.intend(key, now)
        if intent.attempts > 1 and now < intent.since + LAG:
            left = (intent.since + LAG - now).total_seconds()
            raise Lagging(f"GitHub does not show it yet: {key}.", seconds=1.0 if intent.answered else left)
        if intent.attempts > 1:
            self.ledger.forget(key)
            self.ledger.intend(key, now)
        write()
        self.ledger.answered(key, self.clock())


def progress_plot(records: Sequence[Record], metric: Metric) -> bytes:
    return draw_progress(bars(records), metric=metric.name, lower_is_better=metric.direction == "lower")


def _headline(message: str) -> str:
    """The first line of a commit, short enough for a list. Commit messages link and close issues too."""
    line = safe_line(message)
    return line if len(line) <= 72 else line[:71] + "…"
