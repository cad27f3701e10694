"""Rebuilds an experiment from GitHub: the past from the records on main, live questions about what came later.

Nothing is remembered between two looks but what cannot change (commits, blobs, artifacts that were read).
"""

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot import commands
from bot.artifact import read_artifact
from bot.errors import (
    ArtifactError,
    DocumentError,
    LabConfigError,
    Lagging,
    Moved,
    NotFound,
    Refused,
)
from bot.events import branch_of, report_branch
from bot.experiment import (
    EVER,
    EXPERIMENT,
    LAG,
    PAUSED,
    REPORT_RUN,
    SECOND,
    Artifact,
    Asked,
    Authority,
    Comment,
    Experiment,
    Pull,
    Run,
    Training,
)  # fmt: skip
from bot.folder import IDEA, Entry, Folder, find_folder, is_record, is_text
from bot.gateway import CommentFacts, Gateway, Happening, IssueFacts, WorkflowRun
from bot.lab import PATH, LabConfig, read_config
from bot.pieces import bound_mark, mark, reply_mark
from bot.records import Record, by_run, from_json
from runner.result import Status

log = logging.getLogger(__name__)


class Loader:
    """Experiments of one lab. `lag` is for how long GitHub's lists may be behind."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        lag: timedelta = LAG,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway = gateway
        self._lag = lag
        self._clock = clock
        self._artifacts: dict[str, Artifact] = {}

    def load(self, number: int, *, dollars: float) -> Experiment | None:
        """None for an ordinary issue. `dollars` is what its model calls have cost, by the ledger.

        Raises NotFound when there is no such issue, Lagging when GitHub's lists do not show yet what has happened.
        """
        issue = self._gateway.issue(number)
        timeline = self._gateway.timeline(number)
        if _contradicts(timeline, issue):
            self._still_lagging(issue.updated, f"the timeline of #{number}")
        if EXPERIMENT not in issue.labels and not any(happening.label == EXPERIMENT for happening in timeline):
            return None
        main, config, config_error = self._main(number, issue.title)
        runs, report = self._runs(number, main)
        threads = {number: self._thread(number, issue.comments, issue.updated)}
        threads |= {pull.number: self._thread(pull.number, pull.comments, pull.updated) for pull in _pulls(runs)}
        resumptions = _resumptions(timeline)
        bound = {name for thread in threads.values() for name in _bound(thread, since=max(resumptions, default=EVER))}
        return Experiment(
            lab=self._gateway.lab,
            number=number,
            title=issue.title,
            body=issue.body,
            author=issue.author,
            url=issue.url,
            open=issue.open,
            labels=issue.labels,
            authority=self._authority(timeline, issue, frozen=bool(runs) or IDEA in main.texts),
            config=config,
            main=main,
            acting=self._acts(config),
            config_error=config_error,
            runs=_with_comments(runs, threads),
            report=report,
            comments=_ours(threads[number]),
            asked=self._asked(threads),
            report_asked="report" in bound,
            seen=issue.seen > 0,
            paused_by=_paused_by(timeline, us=self._gateway.login),
            resumptions=resumptions,
            cause=_cause(timeline, runs),
            dollars=dollars,
            lag=self._lag,
        )

    def load_gone(self, number: int, why: str) -> Experiment | None:
        """An experiment whose issue was deleted or transferred; None when there never was a run of it."""
        if not self._gateway.branches(number):
            return None
        main, config, _ = self._main(number, "")
        runs, _ = self._runs(number, main)
        threads = {pull.number: self._gateway.comments(pull.number) for pull in _pulls(runs)}
        return Experiment(
            lab=self._gateway.lab,
            number=number,
            title="",
            body="",
            author="ghost",
            url="",
            open=False,
            labels=frozenset(),
            authority=None,
            config=config,
            main=main,
            acting=self._acts(config),
            runs=_with_comments(runs, threads),
            gone=why,
            lag=self._lag,
        )

    def _acts(self, config: LabConfig) -> bool:
        return config.app is None or _same_app(config.app, self._gateway.login)

    def _still_lagging(self, updated: datetime, what: str) -> None:
        """Raises Lagging, but not for ever: some differences are there to stay (a label that was deleted)."""
        if self._clock() < updated + self._lag + SECOND:
            raise Lagging(f"GitHub's lists do not show everything yet: {what}.", seconds=1.0)

    def _thread(self, number: int, count: int | None, updated: datetime) -> list[CommentFacts]:
        comments = self._gateway.comments(number)
        if count is not None and len(comments) != count:
            self._still_lagging(updated, f"the comments of #{number}")
        return comments

    def _main(self, number: int, title: str) -> tuple[Folder, LabConfig, str]:
        base = self._gateway.head(self._gateway.main)
        if base is None:
            raise NotFound("The lab has no commit on its default branch.")
        return self._folder(base, number, title=title), *self._config(base)

    def _check_main(self, main: Folder, runs: Sequence[Run]) -> None:
        """A run merged while we looked is on main by now, and the next one must not start from the main before it."""
        on_main = {record.run for record in main.records}
        unseen = any(run.pull and run.pull.merged and run.id not in on_main for run in runs)
        if unseen and self._gateway.head(self._gateway.main) != main.commit:
            raise Moved(f"`{self._gateway.main}` has moved.")

    def _config(self, base: str) -> tuple[LabConfig, str]:
        entry = self._gateway.tree(base).get(PATH)
        try:
            return read_config(self._text(entry) if entry else None), ""
        except LabConfigError as error:
            return LabConfig(), f"{error}\n\nMend it on {self._gateway.main}, and I go on by myself."

    def _folder(self, commit: str, number: int, *, title: str) -> Folder:
        """The experiment's folder at a commit; its future path where there is none yet."""
        place = find_folder(self._gateway.tree(commit), commit, number, title=title)
        texts = {name: self._text(entry) for name, entry in place.entries.items() if is_text(name)}
        return replace(place, texts=texts, records=self._records(place.entries))

    def _records(self, entries: Mapping[str, Entry]) -> tuple[Record, ...]:
        records = []
        for name, entry in entries.items():
            if is_record(name):
                try:
                    records.append(from_json(self._text(entry), path=name))
                except DocumentError as error:
                    log.warning("%s: %s", self._gateway.lab, error)
        return tuple(by_run(records))

    def _text(self, entry: Entry) -> str:
        return self._gateway.blob(entry.sha).decode(errors="replace")

    def _runs(self, number: int, main: Folder) -> tuple[list[Run], Run | None]:
        """The last run on main and every later one, by the names of their branches; and the report, if there is one.

        Beyond a run that is open there is another only where a branch says so: of a run that was opened again.
        """
        branches = self._gateway.branches(number)
        last = max((record.number for record in main.records), default=0)
        runs: list[Run] = []
        for run in itertools.count(max(last, 1)):
            if runs and runs[-1].open and branch_of(number, str(run)) not in branches:
                break
            found = self._run(number, str(run), main, branches)
            if found:
                runs.append(found)
            elif run > last:  # records of a copied lab have no pull request here
                break
        self._check_main(main, runs)
        if runs:
            first = min((pull.created for pull in _pulls(runs)), default=EVER)
            trainings = self._gateway.workflow_runs(number, since=first)
            runs = [self._with_trainings(run, trainings) for run in runs]
        if runs and runs[-1].open:
            return runs, None
        return runs, self._report(number, run if not runs else max(run, int(runs[-1].id) + 1), branches)

    def _run(self, number: int, run: str, main: Folder, branches: Mapping[str, str]) -> Run | None:
        branch = branch_of(number, run)
        pull = self._gateway.pull_from(branch)
        head = pull.head if pull else branches.get(branch)
        if head is None:
            return None
        folder = self._folder(head, number, title="")
        checks = self._gateway.checks(head) if pull and pull.open else []
        return Run(run, folder, pull, checks=tuple(checks), base=self._base(number, run, folder, main))

    def _base(self, number: int, run: str, folder: Folder, main: Folder) -> Folder | None:
        """The folder that the branch was made from; None where main is still there, or nobody wrote it down."""
        born = next((record.base for record in folder.records if record.run == run), None)
        if born is None or born == main.commit:
            return None
        try:
            return find_folder(self._gateway.tree(born), born, number, title="")
        except NotFound:
            return None

    def _with_trainings(self, run: Run, found: Sequence[WorkflowRun]) -> Run:
        return replace(run, trainings=tuple(self._training(run, w) for w in found if w.request.run == run.id))

    def _training(self, run: Run, found: WorkflowRun) -> Training:
        training = Training(
            id=found.id,
            attempt=found.attempt,
            inputs=found.request.inputs,
            sha=found.sha,
            ordinal=found.request.ordinal,
            status=found.status,
            conclusion=found.conclusion,
            created=found.created,
            updated=found.updated,
            url=found.url,
        )
        known = run.record and run.record.attempt(training.key)
        if training.active or known or not training.of(run.folder.inputs):
            return training
        try:
            return replace(training, artifact=self._artifact(found, training.key))
        except ArtifactError as error:
            return replace(training, complaint=str(error))

    def _artifact(self, run: WorkflowRun, key: str) -> Artifact | None:
        """None when the training was lost: there is no artifact, or its supervisor did not live to the end."""
        if key not in self._artifacts:
            files = self._gateway.artifact(run)
            artifact = read_artifact(files) if files is not None else None
            if artifact is None or artifact.result.status in (Status.RUNNING, Status.CANCELLED):
                return None
            self._artifacts[key] = artifact
        return self._artifacts[key]

    def _report(self, number: int, instead_of: int, branches: Mapping[str, str]) -> Run | None:
        branch = report_branch(number, str(instead_of))
        pull = self._gateway.pull_from(branch)
        head = pull.head if pull else branches.get(branch)
        return Run(REPORT_RUN, self._folder(head, number, title=""), pull) if head else None

    def _authority(self, timeline: Sequence[Happening], issue: IssueFacts, *, frozen: bool) -> Authority | None:
        """`frozen`: the idea is kept in IDEA.md by now, and what becomes of the issue's text does not matter."""
        labelled = [i for i, h in enumerate(timeline) if h.event == "labeled" and h.label == EXPERIMENT]
        if not labelled:
            return None
        newest = timeline[labelled[-1]]
        editors = {h.login for h in timeline[labelled[-1] :] if h.event == "renamed"}
        if not frozen and EXPERIMENT in issue.labels:
            editors |= self._edited_since(issue.number, newest.at)
        strangers = sorted(login for login in editors if not self._gateway.may_write(login))
        may = not strangers and self._gateway.may_write(newest.login)
        return Authority(newest.login, may, newest.id, strangers[0] if strangers else None)

    def _edited_since(self, number: int, labelled: datetime) -> set[str]:
        """Who edited the text since the second in which the label was set. Without GraphQL nobody can tell."""
        try:
            edited = self._gateway.editor(number)
        except (NotFound, Refused) as error:
            log.warning("%s#%d: who edited the text is unknown: %s", self._gateway.lab, number, error)
            return set()
        return {edited[0]} if edited and edited[1] >= labelled else set()

    def _asked(self, threads: Mapping[int, Sequence[CommentFacts]]) -> tuple[Asked, ...]:
        """Commands without a reply of ours, the oldest first. Comments of bots are no commands."""
        asked = []
        for thread, comments in threads.items():
            bodies = [comment.body for comment in comments if comment.by_us]
            for comment in comments:
                for ordinal, command in enumerate(() if comment.by_bot else commands.parse(comment.body)):
                    if not any(mark(reply_mark(comment.id, ordinal)) in body for body in bodies):
                        may = self._gateway.may_write(comment.login)
                        asked.append(Asked(comment.id, ordinal, thread, comment.login, may, command))
        return tuple(sorted(asked, key=lambda a: (a.comment, a.ordinal)))


def _bound(comments: Sequence[CommentFacts], *, since: datetime) -> set[str]:
    """Commands in force: a resumption ends them."""
    recent = [comment.body for comment in comments if comment.by_us and comment.at >= since]
    return {name for name in ("report",) for body in recent if mark(bound_mark(name)) in body}


def _resumptions(timeline: Sequence[Happening]) -> tuple[datetime, ...]:
    """When people let it go on: the label `paused` came off, `experiment` was set again, the issue was reopened."""
    going_on = (("unlabeled", PAUSED), ("labeled", EXPERIMENT), ("reopened", ""))
    found = [h for h in timeline if (h.event, h.label) in going_on]
    start = next((h for h in found if h.label == EXPERIMENT), None)
    return tuple(h.at for h in found if h is not start)


def _ours(comments: Sequence[CommentFacts]) -> tuple[Comment, ...]:
    return tuple(Comment(comment.id, comment.body, True) for comment in comments if comment.by_us)


def _with_comments(runs: Sequence[Run], threads: Mapping[int, Sequence[CommentFacts]]) -> tuple[Run, ...]:
    """Each run with what we said on its pull request."""
    return tuple(replace(run, comments=_ours(threads[run.pull.number])) if run.pull else run for run in runs)


def _pulls(runs: Sequence[Run]) -> list[Pull]:
    return [run.pull for run in runs if run.pull]


def _contradicts(timeline: Sequence[Happening], issue: IssueFacts) -> bool:
    """Whether the timeline, a list, is behind the issue itself."""
    for label in (EXPERIMENT, PAUSED):
        told = [h.event for h in timeline if h.label == label]
        if (label in issue.labels) != (told[-1:] == ["labeled"]):
            return True
    told = [h.event for h in timeline if h.event in ("closed", "reopened")]
    return issue.open == (told[-1:] == ["closed"])


def _paused_by(timeline: Sequence[Happening], *, us: str) -> str | None:
    """The person who paused the experiment by hand."""
    labelled = [h for h in timeline if h.event == "labeled" and h.label == PAUSED]
    return labelled[-1].login if labelled and labelled[-1].login != us else None


def _same_app(configured: str, login: str) -> bool:
    """Apps are named with or without the `[bot]` of their login."""
    return configured.removesuffix("[bot]").casefold() == login.removesuffix("[bot]").casefold()


def _cause(timeline: Sequence[Happening], runs: Sequence[Run]) -> str:
    """What the next run follows from: the newest start by a person, or the last closed pull request.

    It names the slot of the next run's model calls, so it changes only when a person does something. Pausing and going
    on does not change it: what was answered before the pause is not asked again.
    """
    starts = [(h.at, f"event-{h.id}") for h in timeline if (h.event, h.label) == ("labeled", EXPERIMENT)]
    ends = [(run.pull.closed_at, f"pull-{run.pull.number}") for run in runs if run.pull and run.pull.closed_at]
    return max([*starts, *ends], default=(EVER, "start"))[1]
