"""Why a training ended: from its exit and its log to a status, a sentence and an error."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import PurePath

from runner.result import MAX_MESSAGE, MAX_REASON, MAX_WORD, Failure, Status, tidy
from runner.traces import Trace

SCRIPT = "train.py"
_NEAR_THE_END = 200  # lines; an earlier traceback was caught and is not what ended the training
_OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|can't allocate memory|^MemoryError|CUBLAS_STATUS_ALLOC_FAILED"
)
_ERROR = re.compile(r"([A-Za-z_][\w.]*)(?:: ?(.*))?")
_PLACE = re.compile(rb'^\s*File "([^"\n]+)", line (\d{1,7})')


@dataclass(frozen=True)
class Ending:
    """How the training's process ended."""

    code: int  # as Python has it: negative is a signal
    seconds: float
    overtime: float | None = None  # the hard limit, where it was reached
    cancelled: int | None = None  # the signal by which the runner was told to stop
    diverged: int | None = None  # the step at which the harness gave the training up

    @property
    def signal(self) -> str | None:
        return signal_name(-self.code) if self.code < 0 else None

    @property
    def exit_code(self) -> int | None:
        return self.code if self.code >= 0 else None


@dataclass(frozen=True)
class Cause:
    status: Status
    reason: str
    error: Failure | None = None


def find_cause(ending: Ending, *, trace: Trace | None, lines: int, last_line: bytes) -> Cause:
    """`lines` is the log's number of lines, `last_line` its last one that shows something."""
    failed = ending.code != 0
    error = _failure(trace) if failed and trace is not None and lines - trace.end < _NEAR_THE_END else None
    status = _status(ending, error)
    reason = tidy(_reason(status, ending, error, _text(last_line)), limit=MAX_REASON)
    return Cause(status, reason, error)


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _status(ending: Ending, error: Failure | None) -> Status:
    if ending.cancelled is not None:
        return Status.CANCELLED
    if ending.overtime is not None:
        return Status.TIMEOUT
    if ending.code == 0:
        return Status.OK
    if error is not None and _OUT_OF_MEMORY.search(f"{error.type}: {error.message}"):
        return Status.OUT_OF_MEMORY
    if ending.code in (137, -signal.SIGKILL):
        return Status.OUT_OF_MEMORY
    if ending.diverged is not None:
        return Status.DIVERGED
    return Status.FAILED


def _reason(status: Status, ending: Ending, error: Failure | None, last_line: str) -> str:
    after = f"after {ending.seconds:.0f} s"
    if status is Status.CANCELLED:
        return f"The training was cancelled {after} by {signal_name(ending.cancelled or 0)}."
    if status is Status.TIMEOUT:
        return f"The training was stopped {after}: its hard limit is {ending.overtime:.0f} s."
    if status is Status.OK:
        return f"The training ended by itself {after}."
    if status is Status.DIVERGED:
        return (
            f"The loss became NaN or infinite and stayed so up to step {ending.diverged}; the harness gave up {after}."
        )
    if error is None and status is Status.OUT_OF_MEMORY:
        return f"The training was killed {after}, not by the runner: most likely the host was out of memory."
    if error is not None:
        place = f" in {error.file}, line {error.line}" if error.line else ""
        return f"{SCRIPT} raised {error.type}{place}: {error.message}"
    how = f"died of {ending.signal}" if ending.signal else f"ended with exit code {ending.code}"
    return f"The training {how} {after} without a traceback. Its last line: {last_line or 'none'}"


def _failure(trace: Trace) -> Failure | None:
    found = _ERROR.match(_text(trace.error))
    if found is None:
        return None
    more = [_text(line) for line in trace.lines[_index(trace) + 1 :] if line[:1].isspace()]
    message = "\n".join([found[2] or "", *more])
    places = [(PurePath(_text(place[1])).name, int(place[2])) for line in trace.lines if (place := _PLACE.match(line))]
    ours = [place for place in places if place[0] == SCRIPT]
    file, line = (ours or places or [("", 0)])[-1]
    return Failure(
        tidy(found[1], limit=MAX_WORD),
        tidy(message, limit=MAX_MESSAGE),
        tidy(file, limit=MAX_WORD),
        line or None,
    )


def _index(trace: Trace) -> int:
    return len(trace.lines) - 1 - trace.lines[::-1].index(trace.error)


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
