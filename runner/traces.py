"""Python tracebacks in a stream of lines: chains kept together, equal ones counted, the last one kept whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADER = b"Traceback (most recent call last)"
FRAME = b'File "'  # a SyntaxError comes without the header
_HEAD, _TAIL = 30, 60  # lines kept of one traceback
_MAX_LINE = 500
_MAX_MESSAGE = 12  # indented lines after the exception
_MAX_DISTINCT = 50
_RANK = re.compile(rb"^\[rank\d+\]:\s?")
_CHAINED = (b"During handling of the above exception", b"The above exception was the direct cause")


@dataclass(frozen=True)
class Trace:
    lines: tuple[bytes, ...]
    end: int  # number of its last line in the log

    @property
    def error(self) -> bytes:
        """The line of the exception: the last one that is not indented."""
        return next((line for line in reversed(self.lines) if line[:1].strip()), b"")


class Traces:
    """A reader of lines; `open` says whether it is inside a traceback and wants the next line too."""

    def __init__(self) -> None:
        self.last: Trace | None = None
        self.counts: dict[bytes, int] = {}  # by the line of the exception
        self._lines: list[bytes] = []
        self._raised = False  # the line of the exception has come
        self._after = 0  # lines since then
        self._end = 0

    @property
    def open(self) -> bool:
        return bool(self._lines)

    def take(self, line: bytes, *, number: int) -> None:
        line = _RANK.sub(b"", line)[:_MAX_LINE]
        if not self._lines:
            if HEADER in line or line.startswith(b"  " + FRAME):
                self._keep(line, number)
        elif not self._raised:
            self._keep(line, number)
            self._raised = bool(line[:1].strip()) and HEADER not in line
        else:
            self._follow(line, number)

    def finish(self) -> None:
        if not self._lines:
            return
        while not self._lines[-1].strip():
            self._lines.pop()
        trace = self.last = Trace(tuple(self._lines), self._end)
        if trace.error in self.counts or len(self.counts) < _MAX_DISTINCT:
            self.counts[trace.error] = self.counts.get(trace.error, 0) + 1
        self._lines, self._raised, self._after = [], False, 0

    def _follow(self, line: bytes, number: int) -> None:
        """After the exception: more of its message, a chained traceback, or something else."""
        self._after += 1
        blank = not line.strip()
        if line.startswith(_CHAINED):
            self._keep(line, number)
            self._raised, self._after = False, 0
        elif self._after > _MAX_MESSAGE or not (blank or line[:1].isspace()):
            self.finish()
            self.take(line, number=number)
        else:
            self._keep(line, number)

    def _keep(self, line: bytes, number: int) -> None:
        self._end = number
        self._lines.append(line)
        if len(self._lines) > _HEAD + _TAIL:
            del self._lines[_HEAD]
