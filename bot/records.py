"""runs/run-3.json: the bot's validated account of a run, and the arithmetic on it.

A record is born with its branch and grows by attempts, repairs and a conclusion. Everything that the bot says about a
run is rendered from its record, so a record is all that has to survive.
"""

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from bot.errors import DocumentError
from bot.models.model import Role
from runner.result import Result

MAX_POINTS = 200


def _number(value: object) -> object:
    return float(value) if value in ("nan", "inf", "-inf") else value


# JSON has no NaN and no infinity, and a diverged training has both.
Number = Annotated[
    float,
    BeforeValidator(_number),
    PlainSerializer(lambda x: x if math.isfinite(x) else str(x), when_used="json"),
]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Verdict(StrEnum):
    IMPROVED = "improved"
    NO_GAIN = "no gain"
    FAILED = "failed"


class Recommendation(StrEnum):
    MERGE = "merge"
    CLOSE = "close"


class Next(StrEnum):
    """What the analysis wants to come next."""

    CONTINUE = "continue"
    REVISE = "revise"
    COMPLETE = "complete"
    BLOCKED = "blocked"


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(Value):
    """The primary metric, as PLAN.md declares it."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_./@-]{0,63}$")
    direction: Literal["lower", "higher"]

    def better(self, value: float, than: float) -> bool:
        return value < than if self.direction == "lower" else value > than

    def gain(self, value: float, over: float) -> float:
        """Positive when `value` is better."""
        return over - value if self.direction == "lower" else value - over


class Call(Value):
    """One answered model call: what it was for and what it used. `dollars` is None when the price is unknown."""

    id: str
    role: Role
    model: str
    input: int = 0
    cached: int = 0
    output: int = 0
    dollars: Decimal | None = Field(default=None, ge=0, le=10**9)


class Proposal(Value):
    """What a run sets out to show: the coder's words."""

    hypothesis: str
    change: str
    tasks: tuple[str, ...] = ()
    expected: str


class Failure(Value):
    type: str
    message: str
    line: int | None = None


class Attempt(Value):
    """One training of some inputs. Ids and inputs are known; the rest is reported by train.py."""

    workflow_run: int
    run_attempt: int
    inputs: str
    status: str
    reason: str
    seconds: Number
    metrics: dict[str, Number] = {}
    failure: Failure | None = None
    environment: dict[str, str] = {}

    @property
    def key(self) -> str:
        return f"{self.workflow_run}.{self.run_attempt}"

    @classmethod
    def from_result(cls, result: Result, *, inputs: str, workflow_run: int, run_attempt: int) -> "Attempt":
        error = result.error
        return cls(
            workflow_run=workflow_run,
            run_attempt=run_attempt,
            inputs=inputs,
            status=result.status,
            reason=result.reason,
            seconds=result.seconds,
            metrics=result.metrics,
            failure=Failure(type=error.type, message=error.message, line=error.line) if error else None,
            environment=result.environment,
        )


class Repair(Value):
    """A mend of crashed code: what was wrong, what was changed, and the inputs that came of it."""

    attempt: str
    cause: str
    fix: str
    inputs: str


class Rebuilt(Value):
    """The branch was brought together with this commit of main; in which files both had changed, and whose was kept."""

    main: Commit
    from_main: tuple[str, ...] = ()
    from_branch: tuple[str, ...] = ()


class TaskChanges(Value):
    """What an analysis does to TASKS.md. Tasks are named by their text."""

    done: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Analysis(Value):
    text: str
    findings: tuple[str, ...] = ()
    recommendation: Recommendation
    recommended_because: str
    next: Next
    next_because: str
    tasks: TaskChanges = TaskChanges()


class Curve(Value):
    """The thinned course of one metric: (step, value) pairs."""

    name: str
    points: tuple[tuple[Number, Number], ...]


class Outcome(Value):
    """What came out of an attempt, by arithmetic. `value` and `best_before` are of the primary metric."""

    attempt: str
    verdict: Verdict
    value: Number | None = None
    best_before: Number | None = None
    curves: tuple[Curve, ...] = ()


class Conclusion(Outcome):
    """The outcome, and what models made of it."""

    summary: str
    analysis: Analysis


class Discarded(Value):
    """The pull request was closed without merging: only its code was dropped."""

    reason: str


class Record(Value):
    """`inputs` are those it was born with, `plan` is the blob of PLAN.md at that moment, `base` main's commit."""

    version: Literal[1] = 1
    experiment: int
    run: str = Field(pattern=r"^[1-9][0-9]{0,3}[a-z]?$")
    inputs: str
    metric: Metric
    proposal: Proposal
    pull: int | None = None
    plan: str | None = None
    base: Commit | None = None
    attempts: tuple[Attempt, ...] = ()
    repairs: tuple[Repair, ...] = ()
    rebuilds: tuple[Rebuilt, ...] = ()
    conclusion: Conclusion | None = None
    discarded: Discarded | None = None
    calls: tuple[Call, ...] = ()

    @property
    def number(self) -> int:
        return int(re.match(r"\d+", self.run)[0])  # type: ignore[index]

    @property
    def value(self) -> float | None:
        return self.conclusion.value if self.conclusion else None

    @property
    def gpu_minutes(self) -> float:
        return sum(attempt.seconds for attempt in self.attempts) / 60

    @property
    def dollars(self) -> Decimal | None:
        """None when the price of any call is unknown."""
        return total(self.calls)

    def with_calls(self, calls: Iterable[Call]) -> "Record":
        """Each call is booked once, however often it is told."""
        known = {call.id for call in self.calls}
        return self.model_copy(update={"calls": (*self.calls, *(call for call in calls if call.id not in known))})

    def attempt(self, key: str) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.key == key), None)

    @property
    def decisive(self) -> Attempt | None:
        """The attempt that the result is of; the newest one while there is no result."""
        concluded = self.attempt(self.conclusion.attempt) if self.conclusion else None
        return concluded or (self.attempts[-1] if self.attempts else None)

    def attempt_of(self, inputs: str) -> Attempt | None:
        """The first training of these inputs; later ones are repeats."""
        return next((attempt for attempt in self.attempts if attempt.inputs == inputs), None)

    def concluded(self, inputs: str) -> bool:
        attempt = self.conclusion and self.attempt(self.conclusion.attempt)
        return bool(attempt and attempt.inputs == inputs)

    def with_attempt(self, attempt: Attempt, *, pull: int) -> "Record":
        """An attempt is told once, however often it is looked at."""
        known = self.attempt(attempt.key) is not None
        attempts = self.attempts if known else (*self.attempts, attempt)
        return self.model_copy(update={"pull": pull, "attempts": attempts})

    def repairs_in_a_row(self) -> int:
        """Repairs since the last attempt of inputs that a person made."""
        ours = {self.inputs, *(repair.inputs for repair in self.repairs)}
        by_people = [index for index, attempt in enumerate(self.attempts) if attempt.inputs not in ours]
        after = {attempt.key for attempt in self.attempts[by_people[-1] :]} if by_people else None
        return sum(after is None or repair.attempt in after for repair in self.repairs)


# Two plain values in brackets, each on a line of its own. Inside a string line ends are escaped: no match there.
_PAIR = re.compile(r"\[\n\s+([^\[\]{}\n]+),\n\s+([^\[\]{}\n]+)\n\s+\]")


def to_json(record: Record) -> str:
    """Indented for people, each point of a curve on one line."""
    return _PAIR.sub(r"[\1, \2]", record.model_dump_json(indent=1, exclude_none=True)) + "\n"


def from_json(text: str, *, path: str = "record") -> Record:
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DocumentError(f"{path} is not a record of ours: {where}: {first['msg']}.") from None


def by_run(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.number, record.run))


def best(records: Iterable[Record], metric: Metric) -> Record | None:
    """The merged run with the best value: what the next one has to beat. Discarded runs do not set the bar."""
    kept = [r for r in by_run(records) if not r.discarded and r.value is not None and math.isfinite(r.value)]
    leader: Record | None = None
    for record in kept:
        if record.metric == metric and (leader is None or metric.better(_value(record), than=_value(leader))):
            leader = record
    return leader


def _value(record: Record) -> float:
    assert record.value is not None
    return record.value


def judge(value: float | None, *, best_before: float | None, metric: Metric) -> Verdict:
    """Arithmetic, not opinion: plain comparison with the best so far. The first result is the bar itself."""
    if value is None or not math.isfinite(value):
        return Verdict.FAILED
    if best_before is None or metric.better(value, than=best_before):
        return Verdict.IMPROVED
    return Verdict.NO_GAIN


def thin(points: Sequence[tuple[float, float]], *, most: int = MAX_POINTS) -> tuple[tuple[float, float], ...]:
    """At most `most` points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return tuple(points)
    step = (len(points) - 1) / (most - 1)
    return tuple(points[round(index * step)] for index in range(most))


def total(calls: Iterable[Call]) -> Decimal | None:
    """Dollars of all calls together; None when the price of one is unknown."""
    prices = [call.dollars for call in calls]
    return None if None in prices else sum((price for price in prices if price is not None), Decimal(0))
