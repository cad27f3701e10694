"""Follows the metrics that the harness writes and hands on what is valid, while the training goes on.

The training's own file is hostile: it may be a link, a pipe, a folder, endless, or cut short at any moment.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from runner.result import ARTIFACT_SIZES, MAX_LINE, Divergence, Final, Point, read_line, write_line

_AT_ONCE = 4 * 1024 * 1024  # bytes read in one look
_FOR_POINTS = 0.9  # of the limit; the rest is for the last lines
_LAST_LOOKS = 64


class Relay:
    def __init__(self, source: Path, *, target: Path, limit: int = ARTIFACT_SIZES["metrics.jsonl"]) -> None:
        self.last: Point | None = None
        self.final: Final | None = None
        self.diverged: Divergence | None = None
        self._source = source
        self._target = target
        self._limit = limit  # bytes of the target
        self._offset = 0
        self._rest = b""
        self._written = 0
        target.write_bytes(b"")

    def look(self) -> None:
        """Take what has come since the last look."""
        lines = (self._rest + self._read()).split(b"\n")
        self._rest = lines.pop()[: 2 * MAX_LINE]
        accepted = "".join(map(self._accept, lines))
        with contextlib.suppress(OSError), self._target.open("a") as file:  # a full disk must not end the training
            file.write(accepted)

    def finish(self) -> None:
        """Take all that is left, within reason."""
        for _ in range(_LAST_LOOKS):
            before = self._offset
            self.look()
            if self._offset == before:
                break

    def _accept(self, line: bytes) -> str:
        """The line as it is handed on: nothing when it says nothing, or when the file is full."""
        found = read_line(line.decode(errors="replace"))
        if found is None:
            return ""
        if isinstance(found, Point):
            self.last = found
        elif isinstance(found, Final):
            self.final = found
        else:
            self.diverged = found
        text = write_line(found) + "\n"
        if self._written + len(text) > self._limit * (_FOR_POINTS if isinstance(found, Point) else 1):
            return ""
        self._written += len(text)
        return text

    def _read(self) -> bytes:
        try:
            file = os.open(self._source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                return b""
            if status.st_size < self._offset:  # the script started the harness again
                self._offset, self._rest = 0, b""
                self.final = self.diverged = None
            data = os.pread(file, _AT_ONCE, self._offset)
        except OSError:
            return b""
        finally:
            os.close(file)
        self._offset += len(data)
        return data
