"""Rebuilds an experiment from GitHub: the past from the records on main, live questions about what came later.

Nothing is remembered between two looks but what cannot change (commits, blobs, artifacts that were read).
"""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot import commands
from bot.errors import ArtifactError, DocumentError, LabConfigError, Moved, NotFound
from bot.events import branch_of, report_branch
from bot.experiment import (
    EXPERIMENT,
    PAUSED,
    Artifact,
    Asked,
    Authority,
    Comment,
    Experiment,
    Pull,
    Run,
    Training,
)  # fmt: skip
from bot.folder import CODE, DOCUMENTS, ROOT, Entry, Folder, folder_name, is_folder_of
from bot.gateway import CommentFacts, Gateway, Happening, WorkflowRun
from bot.lab import PATH, LabConfig, read_config
from bot.pieces import bound_mark, mark, reply_mark
from bot.records import Record, by_run, from_json
from runner.result import Result, ResultError, Status, read_metrics

log = logging.getLogger(__name__)

EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Loader:
    """Experiments of one lab."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._artifacts: dict[str, Artifact] = {}

    def load(self, number: int, *, dollars: float) -> Experiment:
        """`dollars` is what its model calls have cost, by the ledger. Raises NotFound when there is no such issue."""
        issue = self._gateway.issue(number)
        timeline = self._gateway.timeline(number)
        base = self._gateway.head(self._gateway.main)
        if base is None:
            raise NotFound("The lab has no commit on its default branch.")
        config, config_error = self._config(base)
        main = self._folder(base, number, title=issue.title)
        runs = self._runs(number, main, since=timeline[0].at if timeline else EVER)
        self._check_main(base, main, runs)
        comments = self._gateway.comments(number)
        threads = {
            number: comments,
            **{run.pull.number: self._gateway.comments(run.pull.number) for run in runs if run.pull},
        }
        runs = [replace(run, comments=_ours(threads[run.pull.number])) if run.pull else run for run in runs]
        resumptions = _resumptions(timeline)
        bound = {name for thread in threads.values() for name in _bound(thread, since=max(resumptions, default=EVER))}
        found = Experiment(
            lab=self._gateway.lab,
            number=number,
            title=issue.title,
            body=issue.body,
            author=issue.author,
            url=issue.url,
            open=issue.open,
            labels=issue.labels,
            authority=self._authority(timeline),
            config=config,
            main=main,
            acting=config.app is None or _same_app(config.app, self._gateway.login),
            config_error=config_error,
            runs=tuple(runs),
            comments=_ours(comments),
            asked=self._asked(threads),
            report_asked="report" in bound,
            seen=issue.seen > 0,
            paused_by=_paused_by(timeline, us=self._gateway.login),
            resumptions=resumptions,
            cause=_cause(timeline, runs),
            dollars=dollars,
        )
        return replace(found, report=self._report(number, found.next_run))

    def _check_main(self, base: str, main: Folder, runs: Sequence[Run]) -> None:
        """A run merged while we looked is on main by now, and the next one must not start from the main before it."""
        on_main = {record.run for record in main.records}
        unseen = any(run.pull and run.pull.merged and run.id not in on_main for run in runs)
        if unseen and self._gateway.head(self._gateway.main) != base:
            raise Moved(f"`{self._gateway.main}` has moved.")

    def _config(self, base: str) -> tuple[LabConfig, str]:
        entry = self._gateway.tree(base).get(PATH)
        try:
            return read_config(self._text(entry) if entry else None), ""
        except LabConfigError as error:
            return LabConfig(), f"{error} Mend it on {self._gateway.main}, and I go on by myself."

    def _folder(self, commit: str, number: int, *, title: str) -> Folder:
        """The experiment's folder at a commit; its future path where there is none yet."""
        tree = self._gateway.tree(commit)
        names = {path.split("/")[1] for path in tree if path.startswith(f"{ROOT}/") and path.count("/") > 1}
        found = sorted(name for name in names if is_folder_of(number, name))
        path = f"{ROOT}/{found[0]}" if found else folder_name(number, title)
        entries = {name.removeprefix(f"{path}/"): entry for name, entry in tree.items() if name.startswith(f"{path}/")}
        texts = {name: self._text(entry) for name, entry in entries.items() if name in DOCUMENTS or name == CODE}
        return Folder(commit, path, entries, texts, self._records(entries))

    def _records(self, entries: Mapping[str, Entry]) -> tuple[Record, ...]:
        records = []
        for name, entry in entries.items():
            if name.startswith("runs/") and name.endswith(".json"):
                try:
                    records.append(from_json(self._text(entry), path=name))
                except DocumentError as error:
                    log.warning("%s: %s", self._gateway.lab, error)
        return tuple(by_run(records))

    def _text(self, entry: Entry) -> str:
        return self._gateway.blob(entry.sha).decode(errors="replace")

    def _runs(self, number: int, main: Folder, *, since: datetime) -> list[Run]:
        """The last run on main and every later one: they have branches or pull requests of a known name."""
        last = max((record.number for record in main.records), default=0)
        runs: list[Run] = []
        for run in itertools.count(max(last, 1)):
            found = self._run(number, str(run), main)
            if found:
                runs.append(found)
            elif run > last:  # records of a copied lab have no pull request here
                break
        if not runs:
            return runs
        trainings = self._gateway.workflow_runs(number, since=since)
        return [self._with_trainings(run, trainings) for run in runs]

    def _run(self, number: int, run: str, main: Folder) -> Run | None:
        branch = branch_of(number, run)
        pull = _newest(self._gateway.pulls_from(branch))
        head = pull.head if pull else self._gateway.head(branch)
        if head is None:
            return None
        folder = self._folder(head, number, title="")
        if folder.path != main.path and main.exists:
            folder = replace(folder, path=main.path)
        checks = self._gateway.checks(head) if pull and pull.open else []
        return Run(run, folder, pull, checks=tuple(checks))

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

    def _report(self, number: int, instead_of: str) -> Run | None:
        branch = report_branch(number, instead_of)
        pull = _newest(self._gateway.pulls_from(branch))
        head = pull.head if pull else self._gateway.head(branch)
        return Run("report", self._folder(head, number, title=""), pull) if head else None

    def _authority(self, timeline: Sequence[Happening]) -> Authority | None:
        labelled = [i for i, h in enumerate(timeline) if h.event == "labeled" and h.label == EXPERIMENT]
        if not labelled:
            return None
        newest = timeline[labelled[-1]]
        renamed = {h.login for h in timeline[labelled[-1] :] if h.event == "renamed"}
        strangers = sorted(login for login in renamed if not self._gateway.may_write(login))
        may = not strangers and self._gateway.may_write(newest.login)
        return Authority(newest.login, may, newest.id, strangers[0] if strangers else None)

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


def read_artifact(files: Mapping[str, bytes]) -> Artifact:
    """Raises ArtifactError with the exact complaint."""
    if "result.json" not in files:
        raise ArtifactError("It has no result.json.")
    try:
        result = Result.from_json(files["result.json"].decode())
    except (ResultError, UnicodeDecodeError) as error:
        raise ArtifactError(f"Its result.json is not valid: {error}") from None
    digest = files.get("digest.md", b"").decode(errors="replace")
    points = read_metrics(files.get("metrics.jsonl", b"").decode(errors="replace"))
    return Artifact(result, digest, points)


def _ours(comments: Sequence[CommentFacts]) -> tuple[Comment, ...]:
    return tuple(Comment(comment.id, comment.body, True) for comment in comments if comment.by_us)


def _newest(pulls: Sequence[Pull]) -> Pull | None:
    return pulls[-1] if pulls else None


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
