"""The processes of a job: found wherever they went, and ended.

A child may leave its process group (`setsid`) or lose its parent. Two traces remain: it descended from the step's
process when we last looked, or it carries the job's RUNNER_TRACKING_ID. Both are read from /proc; where there is none
(macOS), the process group is all that is ended.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

TRACKING = "RUNNER_TRACKING_ID"
# Goes before a command. Who is started in the background ignores SIGINT, so do all its children, and a shell cannot
# undo it: then a cancel would reach nobody before its SIGTERM.
HEARING = (
    sys.executable,
    *("-I", "-S", "-c"),
    # Python itself sets LC_CTYPE where there is no locale.
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.environ.pop('LC_CTYPE', 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])",
)
PROC = Path("/proc")


class Child:
    """One step's process, in a session of its own."""

    def __init__(self, arguments: list[str], *, folder: Path, env: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments,
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> int:
        return self._process.wait()

    def stop(self, *, interrupt: float = 7.5, terminate: float = 2.5) -> None:
        """As GitHub's runner does: SIGINT, then SIGTERM to the step's own process, then SIGKILL to all of them."""
        family = descendants(self._process.pid)
        for number, patience in ((signal.SIGINT, interrupt), (signal.SIGTERM, terminate)):
            if patience and self._process.poll() is None:
                self._process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)
                family |= descendants(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        kill(family)


def descendants(root: int) -> set[tuple[int, str]]:
    """(pid, start time) of a process and all below it; the start time tells a reused pid."""
    known = {pid: (parent, started) for pid, parent, started in _processes()}
    found = {root} if root in known else set()
    grown = True
    while grown:
        below = {pid for pid, (parent, _) in known.items() if parent in found} - found
        found |= below
        grown = bool(below)
    return {(pid, known[pid][1]) for pid in found}


def tracked(mark: str) -> set[tuple[int, str]]:
    """All that carry this RUNNER_TRACKING_ID, or one that begins so."""
    wanted = f"\0{TRACKING}={mark}".encode()
    found = set()
    for pid, _, started in _processes():
        with contextlib.suppress(OSError):
            if wanted in b"\0" + (PROC / str(pid) / "environ").read_bytes():
                found.add((pid, started))
    return found


def kill(family: set[tuple[int, str]]) -> None:
    alive = {(pid, started) for pid, _, started in _processes()}
    for pid, _ in family & alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kill_tracked(mark: str, *, seconds: float = 2.0) -> None:
    """Until none is left: one that forks while we look is found at the next look."""
    deadline = time.monotonic() + seconds
    while (found := tracked(mark)) and time.monotonic() < deadline:
        kill(found)
        threading.Event().wait(0.02)


def _processes() -> list[tuple[int, int, str]]:
    """(pid, parent, start time), without zombies."""
    found = []
    for entry in PROC.glob("[0-9]*") if PROC.is_dir() else ():
        with contextlib.suppress(OSError, IndexError):
            # The command's name stands in parentheses and may hold anything.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                found.append((int(entry.name), int(fields[1]), fields[19]))
    return found
