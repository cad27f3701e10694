"""The processes of a training: adopted when their parent ends, found by descent, ended together.

On Linux nothing escapes: the supervisor is the subreaper of all that the training starts, whatever sessions it opens.
Elsewhere only the training's process group is known.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def adopt_orphans() -> None:
    """From now on an orphan among our descendants becomes our child, not init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """For the child, between fork and exec: be killed when the supervisor dies, even by KILL."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def descendants(pid: int) -> list[int]:
    """All processes below this one that still run, nearest first."""
    children = defaultdict(list)
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # "7 (name, which may hold anything) S 1 …": state and parent follow the last parenthesis
                state, parent = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state not in (b"Z", b"X"):
                    children[int(parent)].append(int(entry.name))
    found = list(children[pid])
    for one in found:
        found.extend(children[one])
    return found


def send(signum: int, *, group: int) -> int:
    """Signal all that the training started and that still runs; say how many there were."""
    if not _PROC.is_dir():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signum)
        return 0
    running = descendants(os.getpid())
    for pid in running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
    return len(running)


def reap(pid: int) -> int | None:
    """Bury every dead child; the exit code of this one (negative: the signal) when it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == pid:
                code = os.waitstatus_to_exitcode(found[1])
    return code


@functools.cache
def libc() -> ctypes.CDLL | None:
    """Loaded before the fork: between fork and exec hardly anything is safe."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _prctl(option: int, value: int) -> None:
    library = libc()
    if library is not None:
        library.prctl(option, value, 0, 0, 0)
