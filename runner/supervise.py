"""One attempt, from start to result, whatever happens in between.

It takes over its process: signals, dead children and orphans of the training come to it. So it wants a process of its
own, which is what `python -m runner train` is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import runner
from runner import __version__, sandbox, tree
from runner.cause import SCRIPT, Cause, Ending, find_cause
from runner.condense import Condenser
from runner.probe import probe
from runner.pump import Log, Pump
from runner.redact import redact
from runner.relay import Relay
from runner.result import (
    ARTIFACT_NAMES,
    MAX_MESSAGE,
    MAX_REASON,
    MAX_WORD,
    Failure,
    Point,
    Result,
    Status,
    tidy,
)

_LOOK = 0.05  # seconds between two looks at the training
_METRICS_LOOK = 0.5  # seconds between two looks at its metrics
# After SIGINT GitHub waits 7.5 s, after SIGTERM 2.5 s; the result is to be complete by then.
_CANCEL_GRACE = {signal.SIGINT: 4.5, signal.SIGTERM: 1.0}
_LEFTOVER_GRACE = 1.0  # seconds for what still runs when train.py has ended
_PIPE_PATIENCE = 1.0  # seconds for the rest of the output when all is dead
_WORKING = "work"  # the folder in `out` that the training writes to


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be trained, for how long, and where its result goes."""

    folder: Path  # the experiment's folder, which has train.py
    out: Path
    seconds: float  # soft: the harness ends the training loop
    hard_seconds: float  # then the training is ended
    request: str = ""
    level: sandbox.Sandbox = sandbox.Sandbox.NONE
    grace: float = 10.0  # seconds between TERM and KILL


def default_hard_seconds(seconds: float) -> float:
    return seconds * 1.5 + 60


def supervise(order: Order) -> Result:
    """Train, and leave a complete result in `order.out` in any case."""
    order.out.mkdir(parents=True, exist_ok=True)
    for name in ARTIFACT_NAMES:
        (order.out / name).unlink(missing_ok=True)
    result = Result(
        runner=__version__,
        status=Status.RUNNING,
        reason="The training is running, or its runner was killed.",
        request=tidy(order.request, limit=MAX_WORD),
    )
    _write(order.out / "result.json", result.to_json())
    started = time.monotonic()
    try:
        result = _Attempt(order).run(result)
    except BaseException as error:
        reason = f"The runner itself failed: {type(error).__name__}: {error}"
        seconds = time.monotonic() - started
        result = replace(result, status=Status.FAILED, reason=_safe(reason, limit=MAX_REASON), seconds=seconds)
        raise
    finally:
        _write(order.out / "result.json", result.to_json())
    return result


class _Attempt:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._work = order.out.resolve() / _WORKING
        self._work.mkdir(exist_ok=True)
        (self._work / "metrics.jsonl").unlink(missing_ok=True)
        self._condenser = Condenser()
        self._log = Log(order.out / "log.zst")
        self._relay = Relay(self._work / "metrics.jsonl", target=order.out / "metrics.jsonl")
        self._pump_complaint = ""
        self._parent = os.getppid()
        self._cancelled: int | None = None  # the signal that told us to stop
        self._cancels = 0
        self._overtime = False
        self._kill_at: float | None = None
        self._next_look = 0.0
        self._next_line = 0.0

    def run(self, result: Result) -> Result:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._cancel)
        result = replace(result, environment=probe() | {"sandbox": self._order.level})
        ending: Ending | None
        if (self._order.folder / SCRIPT).is_file():
            ending = self._train()
            self._condenser.finish()
            cause = find_cause(
                ending,
                trace=self._condenser.traces.last,
                lines=self._condenser.lines,
                last_line=self._condenser.last_line,
            )
        else:
            self._log.close()
            ending = None
            cause = Cause(Status.FAILED, f"There is no {SCRIPT} in the experiment's folder.")
        return self._conclude(result, cause, ending)

    def _train(self) -> Ending:
        with tempfile.TemporaryDirectory(prefix="import-", dir=self._work) as importable:
            # A folder with nothing but `runner`: its real parent may hold a whole site-packages or checkout.
            os.symlink(Path(runner.__file__).parent.resolve(), Path(importable) / "runner")
            started = time.monotonic()
            training = self._spawn(Path(importable))
            assert training.stdout is not None
            pump = Pump(training.stdout.fileno(), log=self._log, condenser=self._condenser)
            pump.start()
            try:
                training.returncode = code = self._watch(training.pid, started=started)
                seconds = time.monotonic() - started
            finally:
                self._end_leftovers(training.pid)
            self._pump_complaint = pump.stop(patience=_PIPE_PATIENCE)
            training.stdout.close()
            self._log.close()
            self._relay.finish()
        return Ending(
            code,
            seconds,
            overtime=self._order.hard_seconds if self._overtime else None,
            cancelled=self._cancelled,
            diverged=self._relay.diverged.step if self._relay.diverged else None,
        )

    def _spawn(self, importable: Path) -> subprocess.Popen[bytes]:
        order = self._order
        tree.adopt_orphans()
        ourselves = os.getpid()
        return subprocess.Popen(
            [sys.executable, "-P", SCRIPT],
            cwd=order.folder,
            env=sandbox.environment(
                os.environ,
                importable=importable,
                folder=order.folder.resolve(),
                out=self._work,
                seconds=order.seconds,
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=lambda: tree.die_with(ourselves),
        )

    def _watch(self, pid: int, *, started: float) -> int:
        """Until the training has ended: its exit code."""
        while (code := tree.reap(pid)) is None:
            now = time.monotonic()
            self._look(now - started)
            self._stop_when_due(pid, now=now, elapsed=now - started)
            time.sleep(_LOOK)
        return code

    def _look(self, elapsed: float) -> None:
        if elapsed >= self._next_look:
            self._next_look = elapsed + _METRICS_LOOK
            self._relay.look()
        if elapsed >= self._next_line:
            self._next_line = elapsed + (2 if elapsed < 60 else 10)
            say(f"{elapsed:.0f} s of {self._order.seconds:g} s{_progress(self._relay.last)}")

    def _stop_when_due(self, pid: int, *, now: float, elapsed: float) -> None:
        """TERM (or the signal that we were sent), wait, KILL; to everything that the training started."""
        if os.getppid() != self._parent and self._cancelled is None:
            self._cancel(signal.SIGTERM, None)  # whoever wanted this training is gone
        if self._cancels:
            self._cancels = 0
            signum = self._cancelled or signal.SIGTERM
            tree.send(signum, group=pid)
            self._kill_at = min(self._kill_at or now + 1e9, now + _CANCEL_GRACE.get(signal.Signals(signum), 1.0))
        elif self._kill_at is None and elapsed >= self._order.hard_seconds:
            self._overtime = True
            tree.send(signal.SIGTERM, group=pid)
            self._kill_at = now + self._order.grace
        if self._kill_at is not None and now >= self._kill_at:
            tree.send(signal.SIGKILL, group=pid)

    def _end_leftovers(self, pid: int) -> None:
        """What still runs when train.py has ended: TERM, wait, KILL until there is nothing left."""
        kill_at = time.monotonic() + _LEFTOVER_GRACE
        signum = signal.SIGTERM if self._kill_at is None else signal.SIGKILL
        while tree.send(signum, group=pid):
            time.sleep(_LOOK)
            tree.reap(pid)
            signum = signal.SIGKILL if time.monotonic() >= kill_at else signum

    def _cancel(self, signum: int, _: FrameType | None) -> None:
        self._cancelled = signum
        self._cancels += 1

    def _conclude(self, result: Result, cause: Cause, ending: Ending | None) -> Result:
        cause = _redacted(cause)
        reason = " ".join(filter(None, [cause.reason, self._log.complaint, self._pump_complaint]))
        final = self._relay.final
        if cause.status is Status.OK and final is None:
            reason += " It gave no final metrics (run.finish was not called)."
        _write(self._order.out / "digest.md", self._condenser.digest(cause.status, reason))
        result = replace(
            result,
            status=cause.status,
            reason=tidy(reason, limit=MAX_REASON),
            exit_code=ending.exit_code if ending else None,
            signal=ending.signal if ending else None,
            seconds=round(ending.seconds, 3) if ending else 0.0,
            metrics=dict(final.values) if final else {},
            error=cause.error,
        )
        say(f"{result.status} after {result.seconds:.1f} s. {result.reason}")
        return result


def say(sentence: str) -> None:
    """A line of ours, with our name before whatever the training says. GitHub's runner takes `##[` for a command."""
    with contextlib.suppress(OSError):  # nobody listens any more
        print("trainwright:", " ".join(sentence.split()).replace("##[", "## ["), flush=True)


def _progress(point: Point | None) -> str:
    if point is None:
        return ""
    name = next((name for name in point.values if "loss" in name), next(iter(point.values)))
    return f", step {point.step}, {name} {point.values[name]:.3f}"


def _redacted(cause: Cause) -> Cause:
    error = cause.error
    if error is not None:
        message = _safe(error.message, limit=MAX_MESSAGE)
        error = Failure(_safe(error.type, limit=MAX_WORD), message, error.file, error.line)
    return Cause(cause.status, _safe(cause.reason, limit=MAX_REASON), error)


def _safe(text: str, *, limit: int) -> str:
    return tidy(redact(text), limit=limit)


def _write(path: Path, text: str) -> None:
    """Aside, then renamed: a reader never sees half of it."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
