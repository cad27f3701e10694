"""What an experiment is, and what comes next. Pure: everything here is a value.

`decide` looks at an experiment as GitHub shows it and names one action. It never remembers: the same experiment gives
the same action, so an event that comes twice, late or never does no harm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from string import ascii_lowercase

from bot.commands import Command
from bot.folder import Folder
from bot.lab import LabConfig, Runner
from bot.records import Attempt, Metric, Next, Record, best, by_run
from bot.sanitise import safe_line
from runner.result import Point, Result, Status

EXPERIMENT, PAUSED = "experiment", "paused"
REPORT_RUN = "report"
"""Stands where a run's number would."""
MAX_LOST = 2
LAG = timedelta(seconds=60)
"""So long a write may be missing from GitHub's lists before it is taken for lost."""
SECOND = timedelta(seconds=1)
"""GitHub's times are whole seconds: what happened may be so much younger."""
UNSTARTED = timedelta(minutes=10)
"""After this a training that no runner has taken is said."""
GRACE = timedelta(minutes=10)
"""What a training may need beyond its limit: check-out, and sending the result."""
AGAIN = timedelta(minutes=10)
"""How soon a cause that others mend is looked at again, should no event tell that it is gone."""
A_RUNNER = "a runner"
"""For whom one waits when no runner has taken a training in time."""
EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Stage(StrEnum):
    """Where an experiment stands, in the words of its status comment."""

    PLANNING = "planning"
    TRAINING = "training"
    REVIEW = "waiting for your review"
    REPORT = "report to review"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Artifact:
    """What the runner sent, validated. All of it could have been written by train.py."""

    result: Result
    digest: str
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Training:
    """A workflow run that we dispatched. `artifact` is there once it has completed and is not yet in a record."""

    id: int
    attempt: int
    inputs: str
    sha: str
    ordinal: int
    status: str
    conclusion: str | None
    created: datetime
    url: str
    updated: datetime = EVER
    artifact: Artifact | None = None
    complaint: str = ""

    @property
    def key(self) -> str:
        return f"{self.id}.{self.attempt}"

    @property
    def active(self) -> bool:
        return self.status != "completed"

    def of(self, inputs: str) -> bool:
        """The request carries the first twelve characters of the inputs."""
        return inputs.startswith(self.inputs)

    def deadline(self, runner: Runner) -> datetime:
        """When it must have ended, had a runner taken it in time."""
        return self.created + timedelta(minutes=runner.queue_minutes, seconds=runner.limit) + GRACE


@dataclass(frozen=True)
class Comment:
    id: int
    body: str
    ours: bool


@dataclass(frozen=True)
class Check:
    id: int
    external_id: str
    status: str
    conclusion: str | None
    title: str


@dataclass(frozen=True)
class Asked:
    """A command that has no reply of ours yet. `may` is whether its author has write permission."""

    comment: int
    ordinal: int
    thread: int
    login: str
    may: bool
    command: Command


@dataclass(frozen=True)
class Pull:
    """`mergeable` is None while GitHub works it out, `comments` where it did not say how many there are."""

    number: int
    branch: str
    head: str
    open: bool
    merged: bool
    title: str
    body: str
    url: str
    created: datetime = EVER
    updated: datetime = EVER
    closed_at: datetime | None = None
    mergeable: bool | None = None
    comments: int | None = None


@dataclass(frozen=True)
class Run:
    """One iteration: a branch and, a moment later, its pull request. `folder` is the folder at the branch's head,
    `base` the one on main that the branch was made from, where that is known and no longer the same."""

    id: str
    folder: Folder
    pull: Pull | None = None
    trainings: tuple[Training, ...] = ()
    comments: tuple[Comment, ...] = ()
    checks: tuple[Check, ...] = ()
    base: Folder | None = None

    @property
    def open(self) -> bool:
        return self.pull is None or self.pull.open

    @property
    def record(self) -> Record | None:
        """Its own record, as the branch has it."""
        return next((record for record in self.folder.records if record.run == self.id), None)

    @property
    def concluded(self) -> bool:
        return bool(self.record and self.record.concluded(self.folder.inputs))

    def trainings_of(self, inputs: str) -> list[Training]:
        return sorted((t for t in self.trainings if t.of(inputs)), key=lambda t: t.ordinal)

    def clashes(self, main: Folder) -> bool:
        """Whether a file was changed on main and, in another way, on the branch."""
        if self.base is None:
            return False
        base, theirs, ours = self.base.entries, main.entries, self.folder.entries
        names = base.keys() | theirs.keys() | ours.keys()
        return any(len({base.get(name), theirs.get(name), ours.get(name)}) == 3 for name in names)

    def with_files(self, commit: str, files: Mapping[str, str | bytes | None]) -> "Run":
        """As it is once these files are committed to its branch."""
        pull = self.pull and replace(self.pull, head=commit, mergeable=None)
        return replace(self, folder=self.folder.with_files(commit, files), pull=pull, checks=())


@dataclass(frozen=True)
class Authority:
    """Who labelled the issue, and whether they may. `event` is the id of the newest thing a person did to start it."""

    login: str
    may: bool
    event: int
    edited_by: str | None = None


@dataclass(frozen=True)
class Experiment:
    """An experiment as GitHub shows it.

    `runs` are the last one on main and all that came later; `main` is the folder on main; `acting` is whether this bot
    is the one that acts in the lab; `resumptions` are the times at which people let a stopped or paused experiment go
    on; `cause` is what the next run follows; `gone` says what became of the issue where there is none any more.

    Each step of the bot gives the experiment as it is afterwards, so it need not be loaded again after every step.
    """

    lab: str
    number: int
    title: str
    body: str
    author: str
    url: str
    open: bool
    labels: frozenset[str]
    authority: Authority | None
    config: LabConfig
    main: Folder
    acting: bool = True
    config_error: str = ""
    runs: tuple[Run, ...] = ()
    report: Run | None = None
    comments: tuple[Comment, ...] = ()
    asked: tuple[Asked, ...] = ()
    report_asked: bool = False
    seen: bool = False
    paused_by: str | None = None
    resumptions: tuple[datetime, ...] = ()
    cause: str = ""
    dollars: float = 0.0
    gone: str = ""
    lag: timedelta = LAG

    @property
    def records(self) -> tuple[Record, ...]:
        """Every run that is known, each as the place tells it that knows most: an open run its own branch, a closed
        one whoever knows that it was discarded or what came out."""
        known = {record.run: record for record in self.main.records}
        for run in self.runs:
            for record in run.folder.records:
                old = known.get(record.run)
                if old is None or _knows(record) > _knows(old) or (run.open and record.run == run.id):
                    known[record.run] = record
        settled = {record.run: record for record in self.main.records if record.conclusion or record.discarded}
        return tuple(by_run({**known, **settled}.values()))

    @property
    def resumed(self) -> datetime | None:
        return self.resumptions[-1] if self.resumptions else None

    @property
    def open_run(self) -> Run | None:
        return next((run for run in reversed(self.runs) if run.open), None)

    @property
    def last_run(self) -> Run | None:
        return self.runs[-1] if self.runs else None

    @property
    def next_run(self) -> str:
        numbers = [record.number for record in self.records]
        numbers += [int(run.id.rstrip(ascii_lowercase)) for run in self.runs]
        return str(max(numbers, default=0) + 1)

    def record(self, run: str) -> Record | None:
        return next((record for record in self.records if record.run == run), None)

    def with_run(self, run: Run) -> "Experiment":
        """With this run in the place of the one of its id, or as the newest."""
        if run.id == REPORT_RUN:
            return replace(self, report=run)
        if any(known.id == run.id for known in self.runs):
            return replace(self, runs=tuple(run if known.id == run.id else known for known in self.runs))
        return replace(self, runs=(*self.runs, run), report=None)

    def with_comment(self, thread: int, comment: Comment) -> "Experiment":
        """With this comment of ours on the issue or on a run's pull request; an edited one in its old place."""
        for run in self.runs:
            if run.pull and run.pull.number == thread:
                return self.with_run(replace(run, comments=_with(run.comments, comment)))
        return replace(self, comments=_with(self.comments, comment))

    def without(self, asked: Asked) -> "Experiment":
        """A command that was answered."""
        return replace(self, asked=tuple(other for other in self.asked if other != asked))

    def best_before(self, run: str, metric: Metric) -> Record | None:
        """What this run has to beat: the best of the merged runs before it."""
        merged = {record.run for record in self.main.records}
        return best((r for r in self.records if r.run != run and r.run in merged and r.metric == metric), metric)


def _with(comments: Sequence[Comment], comment: Comment) -> tuple[Comment, ...]:
    if any(known.id == comment.id for known in comments):
        return tuple(comment if known.id == comment.id else known for known in comments)
    return (*comments, comment)


def _knows(record: Record) -> tuple[bool, bool]:
    return record.discarded is not None, record.conclusion is not None


# What the bot can do next, in the order of an experiment's life.


@dataclass(frozen=True)
class Wait:
    """Nothing to do until somebody acts, or until this time."""

    for_whom: str
    why: str
    until: datetime | None = None


@dataclass(frozen=True)
class Refuse:
    """Take the label off, and say why."""

    reason: str


@dataclass(frozen=True)
class Begin:
    """Write the plan, if there is none, and the code of a run; make its branch."""

    run: str
    cause: str


@dataclass(frozen=True)
class OpenPull:
    run: Run


@dataclass(frozen=True)
class Dispatch:
    run: Run
    inputs: str
    ordinal: int


@dataclass(frozen=True)
class Cancel:
    training: Training
    why: str


@dataclass(frozen=True)
class Repair:
    run: Run
    training: Training
    attempt: Attempt


@dataclass(frozen=True)
class Conclude:
    run: Run
    training: Training
    attempt: Attempt


@dataclass(frozen=True)
class Repeat:
    """Concluded inputs were trained once more: one more value, no model call."""

    run: Run
    training: Training
    attempt: Attempt


@dataclass(frozen=True)
class Rebuild:
    """Main has gone on in another way than the branch: bring them together, so that the run can be merged."""

    run: Run


@dataclass(frozen=True)
class RevisePlan:
    run: Run
    asked: Asked


@dataclass(frozen=True)
class Answer:
    asked: Asked


@dataclass(frozen=True)
class Report:
    """Write REPORT.md on a branch of its own."""

    reason: str
    cause: str


@dataclass(frozen=True)
class Close:
    """The report is merged: the issue is done."""


@dataclass(frozen=True)
class Pause:
    reason: str


Action = (
    Wait | Refuse | Begin | OpenPull | Dispatch | Cancel | Repair | Conclude | Repeat | Rebuild | RevisePlan | Answer
    | Report | Close | Pause
)  # fmt: skip


def decide(experiment: Experiment, now: datetime) -> Action:
    """The next action. Pure: the clock comes in."""
    if not experiment.acting:
        return Wait("nobody", "Another bot acts in this lab.")
    stale = _stale_training(experiment)
    if stale:
        return stale
    if experiment.gone:
        return Wait("nobody", experiment.gone)
    if not experiment.open or EXPERIMENT not in experiment.labels:
        return Wait("nobody", "The issue is closed." if not experiment.open else "The label `experiment` is off.")
    if experiment.authority is None or not experiment.authority.may:
        return _refuse(experiment)
    if experiment.config_error:
        return Wait("a maintainer", experiment.config_error, until=now + AGAIN)
    if answer := _obey(experiment):
        return answer
    if PAUSED in experiment.labels:
        return Wait("a maintainer", "Take the label `paused` off to go on.")
    if experiment.open_run:
        return _advance(experiment, experiment.open_run, now)
    return _after(experiment, now)


def stage(experiment: Experiment) -> Stage:
    if not experiment.open:
        return (
            Stage.DONE
            if experiment.report and experiment.report.pull and experiment.report.pull.merged
            else Stage.STOPPED
        )
    if EXPERIMENT not in experiment.labels:
        return Stage.STOPPED
    if PAUSED in experiment.labels:
        return Stage.PAUSED
    if run := experiment.open_run:
        return Stage.REVIEW if run.concluded else Stage.TRAINING
    if experiment.report and experiment.report.open:
        return Stage.REPORT
    return Stage.PLANNING


def _refuse(experiment: Experiment) -> Refuse:
    who = experiment.authority
    if who is None:
        return Refuse("Nobody could be found who set the label.")
    if who.edited_by:
        return Refuse(f"{who.edited_by} edited this issue after it was labelled, without write permission.")
    return Refuse(f"{who.login} has no write permission in this repository.")


def _stale_training(experiment: Experiment) -> Cancel | None:
    """A training that nobody waits for: of a closed run, or of inputs that the branch no longer has."""
    stopped = not experiment.open or EXPERIMENT not in experiment.labels
    for run in experiment.runs:
        merged = run.pull is not None and run.pull.merged
        for training in filter(lambda t: t.active, run.trainings):
            if stopped and not merged:
                return Cancel(training, "The experiment was stopped.")
            if not run.open and not merged:
                return Cancel(training, "The pull request was closed before the result.")
            if not training.of(run.folder.inputs):
                return Cancel(training, "The branch has new inputs.")
    return None


def _obey(experiment: Experiment) -> Action | None:
    """The first command that can be obeyed or answered now; one that has to wait holds up no other."""
    return next((action for asked in experiment.asked if (action := _obeyed(experiment, asked))), None)


def _obeyed(experiment: Experiment, asked: Asked) -> Action | None:
    run = experiment.open_run
    at_the_end = run is None and experiment.report is not None
    if asked.command.name != "revise-plan" or not asked.may or at_the_end:
        return Answer(asked)
    if PAUSED in experiment.labels or run is None or run.pull is None or run.record is None:
        return None  # a revision is paid for, and waits until the experiment goes on and the next run is written
    return RevisePlan(run, asked)


def _advance(experiment: Experiment, run: Run, now: datetime) -> Action:
    """An open run: pull request, training, result, review."""
    if run.pull is None:
        return OpenPull(run)
    if run.record is None:
        return Pause(
            f"`runs/run-{run.id}.json` is missing on the branch of #{run.pull.number}, and I keep my account there."
        )
    inputs = run.folder.inputs
    trainings = run.trainings_of(inputs)
    repeat = _repeat(run, trainings)
    if repeat:
        return repeat
    active = next((training for training in trainings if training.active), None)
    if active:
        return _wait_for_training(experiment, active, now)
    if run.concluded:
        return _review(experiment, run, run.pull, now)
    finished = next((training for training in trainings if training.artifact), None)
    if finished:
        return _conclude(experiment, run, finished)
    return _train(experiment, run, trainings, now)


def _review(experiment: Experiment, run: Run, pull: Pull, now: datetime) -> Action:
    """Nobody can merge what conflicts with main."""
    if pull.mergeable is False:
        return Rebuild(run)
    if pull.mergeable is None and run.clashes(experiment.main):
        return Wait("GitHub", "GitHub works out whether the run can be merged.", until=now + timedelta(seconds=10))
    return Wait("you", f"Review #{pull.number}: merge it, or close it to discard the run.")


def _repeat(run: Run, trainings: Sequence[Training]) -> Repeat | None:
    if not run.concluded or run.record is None:
        return None
    new = next((t for t in trainings if t.artifact and run.record.attempt(t.key) is None), None)
    return Repeat(run, new, attempt_of(run, new)) if new else None


def _wait_for_training(experiment: Experiment, training: Training, now: datetime) -> Action:
    """A wait has an end: a runner that never comes is said, a training that does not end is cancelled."""
    runner = experiment.config.runner
    end, told = training.deadline(runner), training.created + UNSTARTED
    if now >= end:
        return Cancel(training, "It did not end in time.")
    until = end if training.status == "in_progress" else told
    if now < until:
        return Wait("the runner", "The training is queued or running; its end wakes me.", until=until)
    labels = ", ".join(f"`{label}`" for label in runner.labels)
    minutes = int((now - training.created).total_seconds() // 60)
    return Wait(
        A_RUNNER,
        f"No runner has taken [the training]({training.url}) for {minutes} minutes. Is one with the labels {labels} "
        "online? It starts by itself as soon as there is one.",
        until=end,
    )


def _conclude(experiment: Experiment, run: Run, training: Training) -> Action:
    attempt = attempt_of(run, training)
    assert run.record is not None
    assert run.pull is not None
    broken = attempt.status in (Status.FAILED, Status.OUT_OF_MEMORY) or (
        attempt.status == Status.OK and run.record.metric.name not in attempt.metrics
    )
    told = run.record.with_attempt(attempt, pull=run.pull.number)
    if broken and told.repairs_in_a_row() < experiment.config.repairs:
        return Repair(run, training, attempt)
    return Conclude(run, training, attempt)


def attempt_of(run: Run, training: Training) -> Attempt:
    """The attempt that this training was. What GitHub says is known; the rest is as the runner reports it."""
    assert training.artifact is not None
    return Attempt.from_result(
        training.artifact.result, inputs=run.folder.inputs, workflow_run=training.id, run_attempt=training.attempt
    )


def _train(experiment: Experiment, run: Run, trainings: Sequence[Training], now: datetime) -> Action:
    """These inputs have no result. A lost training (no artifact) is repeated; a cancelled one waits for a person."""
    resumed = experiment.resumed
    ended = [training for training in trainings if resumed is None or training.created > resumed]
    last = ended[-1] if ended else None
    if last is None:
        return _dispatch(run, trainings)
    link = f"[The training]({last.url})"
    by_hand = last.updated < last.deadline(experiment.config.runner) and not _superseded(run, last)
    if last.conclusion == "cancelled" and by_hand:
        return Pause(f"{link} was cancelled on GitHub. Take the label `paused` off to train again.")
    if last.complaint:
        return Pause(
            f"{link} sent a result that I cannot use: {safe_line(last.complaint)} "
            "Take the label `paused` off to train again."
        )
    if on_its_way := _on_its_way(experiment, last, now):
        return on_its_way
    if len(ended) > MAX_LOST:
        return Pause(
            f"{link} ended without a result {len(ended)} times in a row. Look at its log; "
            "take the label `paused` off to train again."
        )
    return _dispatch(run, trainings)


def _superseded(run: Run, training: Training) -> bool:
    """Cancelled by the bot itself, for other inputs that were on the branch for a while."""
    return any(other.inputs != training.inputs and other.created >= training.created for other in run.trainings)


def _dispatch(run: Run, trainings: Sequence[Training]) -> Dispatch:
    return Dispatch(run, run.folder.inputs, 1 + max((training.ordinal for training in trainings), default=0))


def _on_its_way(experiment: Experiment, training: Training, now: datetime) -> Wait | None:
    """The list of artifacts may lag behind the end of the training."""
    end = training.updated + experiment.lag + SECOND
    if training.active or training.artifact or now >= end:
        return None
    return Wait("GitHub", f"[The training]({training.url}) has ended; its result is not there yet.", until=end)


def _after(experiment: Experiment, now: datetime) -> Action:
    """No run is open: the next one, the report, or the end."""
    report = experiment.report
    if report:
        return _review_of_report(experiment, report)
    last = experiment.last_run
    if last and last.pull and last.pull.merged and not _known(experiment, last):
        unfinished = _merged_early(experiment, last, now)
        if unfinished:
            return unfinished
    if reason := _enough(experiment):
        return Report(reason, experiment.cause)
    return Begin(experiment.next_run, experiment.cause)


def _known(experiment: Experiment, run: Run) -> bool:
    record = experiment.record(run.id)
    return record is not None and record.conclusion is not None


def _merged_early(experiment: Experiment, run: Run, now: datetime) -> Action | None:
    """Merged before its result: the next run waits for it and carries it."""
    trainings = run.trainings_of(run.folder.inputs)
    active = next((training for training in trainings if training.active), None)
    if active:
        return _wait_for_training(experiment, active, now)
    return _on_its_way(experiment, trainings[-1], now) if trainings else None


def _review_of_report(experiment: Experiment, report: Run) -> Action:
    if report.pull is None:
        return OpenPull(report)
    if report.pull.open:
        return Wait("you", f"Review the report, #{report.pull.number}: merging it ends the experiment.")
    if report.pull.merged:
        return Close()
    closed = report.pull.closed_at
    if closed and experiment.resumed and experiment.resumed >= closed:
        return Begin(experiment.next_run, experiment.cause)
    return Pause("The report was closed without merging. Take the label `paused` off to go on with another run.")


def _enough(experiment: Experiment) -> str:
    """Why there is no next run, or nothing."""
    records, budget = experiment.records, experiment.config.budget
    last = records[-1] if records else None
    if experiment.report_asked:
        return "A maintainer asked for the report."
    if last and last.conclusion and last.conclusion.analysis.next is Next.COMPLETE:
        return f"The analysis of run {last.run} calls the experiment complete: {last.conclusion.analysis.next_because}"
    if last and last.conclusion and last.conclusion.analysis.next is Next.BLOCKED:
        return f"The analysis of run {last.run} calls the experiment blocked: {last.conclusion.analysis.next_because}"
    if len(records) >= budget.runs:
        return f"The budget of {budget.runs} runs is used up."
    if experiment.dollars > 0 and experiment.dollars >= budget.dollars:
        return f"The budget of ${budget.dollars:.2f} is used up."
    if sum(record.gpu_minutes for record in records) >= budget.gpu_minutes:
        return f"The budget of {budget.gpu_minutes:g} minutes of training is used up."
    return ""
