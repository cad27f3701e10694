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
_KEPT_FREE = 1024 * 1024  # of the file's limit, for the last lines
_LAST_LOOKS = 64


class Relay:
    def __init__(self, source: Path, *, target: Path) -> None:
        self.last: Point | None = None
        self.final: Final | None = None
        self.diverged: Divergence | None = None
        self._source = source
        self._target = target
        self._offset = 0
        self._rest = b""
        self._written = 0
        target.write_bytes(b"")

    def look(self) -> None:
        """Take what has come since the last look."""
        lines = (self._rest + self._read()).split(b"\n")
        self._rest = lines.pop()[: 2 * MAX_LINE]
        accepted = "".join(write_line(found) + "\n" for line in lines if (found := self._accept(line)) is not None)
        with contextlib.suppress(OSError), self._target.open("a") as file:  # a full disk must not end the training
            file.write(accepted)

    def finish(self) -> None:
        """Take all that is left, within reason."""
        for _ in range(_LAST_LOOKS):
            before = self._offset
            self.look()
            if self._offset == before:
                break

    def _accept(self, line: bytes) -> Point | Final | Divergence | None:
        """What the line says, unless it says nothing or the file is full; the last lines always find room."""
        found = read_line(line.decode(errors="replace"))
        if isinstance(found, Point):
            self.last = found
        elif isinstance(found, Final):
            self.final = found
        elif isinstance(found, Divergence):
            self.diverged = found
        self._written += len(line) + 1
        room = ARTIFACT_SIZES["metrics.jsonl"] - (_KEPT_FREE if isinstance(found, Point) else 0)
        return found if 2 * self._written < room else None

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
