"""What every step works with: GitHub, the ledger, models; and the few ways in which a step writes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bot.asking import Asker, Told
from bot.desired import thread
from bot.errors import Lagging, NotFound, Refused
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

    def branch(self, x: Experiment, branch: str, files: Files, message: str, *, run: str) -> Experiment | None:
        """A branch from main, born whole; None when there is one of this name already."""
        folder = x.main
        sha = self._commit(folder, files, message, parents=[folder.commit], base=folder.commit)
        if not self.gateway.create_branch(branch, sha):
            return None
        return x.with_run(Run(run, folder.with_files(sha, files)))

    def add_commit(self, x: Experiment, run: Run, files: Files, message: str) -> Experiment:
        """One commit on the branch as we saw it; raises Moved when it has gone on."""
        assert run.pull is not None
        sha = self._commit(run.folder, files, message, parents=[run.pull.head], base=run.pull.head)
        self.gateway.move_branch(run.pull.branch, sha)
        return x.with_run(run.with_files(sha, files))

    def add_merge(self, x: Experiment, run: Run, files: Mapping[str, str | bytes | None], message: str) -> Experiment:
        """One commit on the branch that has main's files and these, and is a child of both."""
        assert run.pull is not None
        sha = self._commit(x.main, files, message, parents=[run.pull.head, x.main.commit], base=x.main.commit)
        self.gateway.move_branch(run.pull.branch, sha)
        return x.with_run(replace(run, folder=x.main, base=None).with_files(sha, files))

    def _commit(
        self,
        folder: Folder,
        files: Mapping[str, str | bytes | None],
        message: str,
        *,
        parents: Sequence[str],
        base: str,
    ) -> str:
        paths = {f"{folder.path}/{name}": content for name, content in files.items()}
        return self.gateway.commit(parents=parents, base=base, files=paths, message=headline(message))

    def comment(self, x: Experiment, note: Note) -> Experiment:
        """A comment that is there already, by its mark, is not posted again."""
        if find_note(thread(x, note.thread), note):
            return x
        key = f"comment {note.thread} {note.mark}"
        made = self.once(x, key, lambda: self.gateway.comment(note.thread, posted(note)))
        return x.with_comment(note.thread, made)

    def once(self, x: Experiment, key: str, write: Callable[[], T]) -> T:
        """A write that makes something new. GitHub's lists lag, so it is not repeated within a minute."""
        key, now = f"{x.lab}#{x.number} {key}", self.clock()
        intent = self.ledger.intend(key, now)
        if intent.attempts > 1 and now < intent.since + x.lag:
            left = (intent.since + x.lag - now).total_seconds()
            raise Lagging(f"GitHub does not show it yet: {key}.", seconds=min(1.0, left) if intent.answered else left)
        if intent.attempts > 1:
            self.ledger.forget(key)
            self.ledger.intend(key, now)
        try:
            made = write()
        except (NotFound, Refused):  # an answer, too: nothing was written
            self.ledger.forget(key)
            raise
        self.ledger.answered(key, self.clock())
        return made


def progress_plot(records: Sequence[Record], metric: Metric) -> bytes:
    return draw_progress(bars(records), metric=metric.name, lower_is_better=metric.direction == "lower")


def headline(message: str) -> str:
    """The first line of a commit, short enough for a list. Commit messages link and close issues too."""
    line = safe_line(message)
    return line if len(line) <= 72 else line[:71] + "…"
