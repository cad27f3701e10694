"""The artifact's contract: what the runner writes and the bot reads.

Standard library only. Whoever builds a `Result` has a valid one: its fields are checked at construction, because
`train.py` could have written the file that it was read from.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TypeVar

VERSION = 1
ARTIFACT_NAMES = ("result.json", "digest.md", "metrics.jsonl", "log.zst")
ARTIFACT_SIZES: Mapping[str, int] = {  # bytes; larger files are cut by the runner and refused by the bot
    "result.json": 256 * 1024,
    "digest.md": 64 * 1024,
    "metrics.jsonl": 16 * 1024 * 1024,
    "log.zst": 64 * 1024 * 1024,
}
MAX_METRICS = 100  # names in one result or one point
MAX_POINTS = 200_000
MAX_LINE = 16 * 1024  # characters of one line of metrics.jsonl
MAX_REASON = 1_000
MAX_MESSAGE = 4_000
MAX_WORD = 300  # type of an error, file name, request, value of an environment fact

Kind = TypeVar("Kind", int, str)

# No `[`, `#`, backtick or `|`: a name is printed in logs, tables and comments.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .:/@%()+=-]{0,63}")
_SIGNAL = re.compile(r"SIG[A-Z0-9+-]{1,12}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class ResultError(ValueError):
    """The text is no valid result; the message says what is wrong with it."""


class Status(StrEnum):
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out-of-memory"
    HUNG = "hung"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Failure:
    """What ended a training: the exception, and where in the experiment's folder it was raised."""

    type: str
    message: str
    file: str = ""  # relative to the experiment's folder; empty when nobody knows
    line: int | None = None

    def __post_init__(self) -> None:
        _check_text("error.type", self.type, MAX_WORD)
        _check_text("error.message", self.message, MAX_MESSAGE)
        _check_text("error.file", self.file, MAX_WORD)
        if self.line is not None:
            _check_int("error.line", self.line, 1, 10_000_000)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one training, as the runner reports it."""

    runner: str
    status: Status
    reason: str  # one sentence for a person
    exit_code: int | None = None
    signal: str | None = None
    seconds: float = 0.0  # wall time of the training
    metrics: dict[str, float] = field(default_factory=dict)  # the final ones, given to run.finish
    environment: dict[str, str] = field(default_factory=dict)
    error: Failure | None = None
    request: str = ""
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_int("version", self.version, VERSION, VERSION)
        _check_text("runner", self.runner, 50)
        _check_text("reason", self.reason, MAX_REASON)
        _check_text("request", self.request, MAX_WORD)
        if self.exit_code is not None:
            _check_int("exit_code", self.exit_code, 0, 255)
        if self.signal is not None and not (isinstance(self.signal, str) and _SIGNAL.fullmatch(self.signal)):
            raise ResultError("signal is no name of a signal")
        if not 0 <= _number("seconds", self.seconds) < 1e9:
            raise ResultError("seconds is not a number from 0 to 1e9")
        _check_metrics(self.metrics)
        _check_environment(self.environment)

    def to_json(self) -> str:
        fields = asdict(self) | {"metrics": {name: _plain(value) for name, value in self.metrics.items()}}
        return json.dumps(fields, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Raise ResultError for anything but a complete result; keys that this version does not know do not matter."""
        fields = _load(text)
        status = fields.get("status")
        if not isinstance(status, str) or status not in set(Status):
            raise ResultError(f"status is none of {', '.join(Status)}")
        metrics = _mapping(fields, "metrics")
        return cls(
            version=_required(fields, "version", int),
            runner=_required(fields, "runner", str),
            status=Status(status),
            reason=_required(fields, "reason", str),
            exit_code=_optional(fields, "exit_code", int),
            signal=_optional(fields, "signal", str),
            seconds=_number("seconds", fields.get("seconds")),
            metrics={name: _number("a metric", value) for name, value in metrics.items()},
            environment={key: _text("environment", value) for key, value in _mapping(fields, "environment").items()},
            error=_failure(fields.get("error")),
            request=_required(fields, "request", str),
        )


@dataclass(frozen=True)
class Point:
    """One line of metrics.jsonl: what train.py logged at a step."""

    step: int
    seconds: float
    values: dict[str, float]


@dataclass(frozen=True)
class Final:
    """The last line of metrics.jsonl: what train.py gave to run.finish."""

    step: int
    seconds: float
    values: dict[str, float]


@dataclass(frozen=True)
class Divergence:
    """The line that the harness writes before it raises Diverged."""

    step: int


def read_line(line: str) -> Point | Final | Divergence | None:
    """One line of metrics.jsonl, or None for a line that means nothing."""
    try:
        fields = _load(line, limit=MAX_LINE)
    except ResultError:
        return None
    final, diverged = fields.pop("final", None) is True, fields.pop("diverged", None) is True
    step, seconds = fields.pop("step", None), _float(fields.pop("seconds", None))
    values = {name: number for name, value in fields.items() if (number := _float(value)) is not None}
    values = {name: value for name, value in values.items() if _NAME.fullmatch(name)}
    if not isinstance(step, int) or isinstance(step, bool) or abs(step) > 2**53 or len(values) > MAX_METRICS:
        return None
    if diverged:
        return Divergence(step)
    if seconds is None or not math.isfinite(seconds):
        return None
    if final:
        return Final(step, seconds, values)
    return Point(step, seconds, values) if values else None


def write_line(line: Point | Final | Divergence) -> str:
    """What `read_line` reads, without the line feed."""
    if isinstance(line, Divergence):
        return json.dumps({"diverged": True, "step": line.step})
    head: dict[str, object] = {"final": True} if isinstance(line, Final) else {}
    head |= {"step": line.step, "seconds": line.seconds}
    return json.dumps(head | {name: _plain(value) for name, value in line.values.items()})


def read_metrics(text: str) -> tuple[Point, ...]:
    """The points of metrics.jsonl in file order; lines that are none (the final one among them) are passed over."""
    points = []
    for line in text.split("\n"):
        if isinstance(found := read_line(line), Point):
            points.append(found)
            if len(points) == MAX_POINTS:
                break
    return tuple(points)


def tidy(text: str, *, limit: int) -> str:
    """Any text, made acceptable as a field of a result."""
    clean = _UNPRINTABLE.sub("", text).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _load(text: str, *, limit: int = ARTIFACT_SIZES["result.json"]) -> dict[str, object]:
    if len(text) > limit:
        raise ResultError(f"longer than {limit} characters")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"not JSON: {str(error)[:200]}") from None
    if not isinstance(fields, dict):
        raise ResultError("not a JSON object")
    return fields


def _failure(value: object) -> Failure | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ResultError("error is not an object")
    file = _required(value, "file", str)
    return Failure(_required(value, "type", str), _required(value, "message", str), file, _optional(value, "line", int))


def _required(fields: Mapping[str, object], name: str, kind: type[Kind]) -> Kind:
    found = _optional(fields, name, kind)
    if found is None:
        raise ResultError(f"{name} is missing")
    return found


def _optional(fields: Mapping[str, object], name: str, kind: type[Kind]) -> Kind | None:
    found = fields.get(name)
    if found is not None and (not isinstance(found, kind) or isinstance(found, bool)):
        raise ResultError(f"{name} is not of type {kind.__name__}")
    return found


def _mapping(fields: Mapping[str, object], name: str) -> dict[str, object]:
    found = fields.get(name)
    if not isinstance(found, dict):
        raise ResultError(f"{name} is not an object")
    return found


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ResultError(f"{name} holds something that is no text")
    return value


def _number(name: str, value: object) -> float:
    number = _float(value)
    if number is None:
        raise ResultError(f"{name} is not a number")
    return number


def _float(value: object) -> float | None:
    """JSON knows no NaN, hence the three words."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _check_text(name: str, value: object, limit: int) -> None:
    text = _text(name, value)
    if len(text) > limit:
        raise ResultError(f"{name} is longer than {limit} characters")
    if _UNPRINTABLE.search(text):
        raise ResultError(f"{name} holds control characters")


def _check_int(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ResultError(f"{name} is not a whole number from {least} to {most}")


def _check_metrics(metrics: Mapping[str, float]) -> None:
    if len(metrics) > MAX_METRICS:
        raise ResultError(f"more than {MAX_METRICS} metrics")
    for name in metrics:
        if not _NAME.fullmatch(name):
            raise ResultError(f"{name[:80]!r} is no name for a metric")


def _check_environment(environment: Mapping[str, str]) -> None:
    if len(environment) > MAX_METRICS:
        raise ResultError(f"more than {MAX_METRICS} environment facts")
    for key, value in environment.items():
        if not _NAME.fullmatch(key):
            raise ResultError(f"{key[:80]!r} is no name for an environment fact")
        _check_text(f"environment.{key}", value, MAX_WORD)
