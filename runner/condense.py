"""A raw log, condensed by rule: one pass over any bytes, in bounded memory.

Lines are told apart by their shape, which is the line without what varies (digits, signs, spaces, bars). A known shape
costs one look into a dict and, where it holds metrics, one search for numbers; a new shape is looked at closely, once.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from dataclasses import dataclass, field

from runner.course import Course
from runner.digest import Facts, Repeat, render
from runner.traces import FRAME, HEADER, Traces

MAX_PIECE = 8 * 1024  # bytes kept of either end of a line
MAX_SHAPES = 4096
MAX_NOTABLE = 256  # shapes of warnings and errors that are kept beyond that
MAX_COURSES = 60
HEAD, TAIL = 20, 40  # lines
_SHOWN = 400  # bytes kept of a line that may be shown
_KEY = 200  # bytes of a line without what varies that make its shape
_READ = 2000  # bytes of a line in which metrics are looked for

_VARYING = bytes(range(0x21)) + b"0123456789.+-eE#=>" + bytes(range(0x80, 0xC0)) + b"\xe2\x7f"
_ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]|[()][A-Z0-9])")
_NUMBER_TEXT = rb"[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+|(?:[nN]a[nN]|inf|Infinity)(?![A-Za-z_]))"
_NUMBER = re.compile(rb"(?<![\w.])" + _NUMBER_TEXT)
_NAMED = re.compile(
    rb"(?<![A-Za-z0-9_])"
    rb"((?:(?:train|training|val|valid|validation|test|eval|best|final|mean|avg)[ _])?[A-Za-z_][\w/.@%-]{0,40}?)"
    rb"(['\"]?\s{0,8}[:=]\s{0,8}['\"]?(?:tensor\()?|\s{1,8})(" + _NUMBER_TEXT + rb")"
)
_STEPS = ("step", "global_step", "steps", "iter", "iteration", "it", "update", "batch", "epoch")
_PROSE = {
    "line",
    "version",
    "port",
    "pid",
    "rank",
    "seed",
    "in",
    "of",
    "to",
    "at",
    "on",
    "for",
    "took",
    "after",
    "from",
}
_WARNING = re.compile(rb"warn(?:ing)?\b|Warning:|\bWARN", re.IGNORECASE)
_TROUBLE = re.compile(
    rb"\b(?:error|exception|fatal|failed|failure|killed|abort(?:ed)?|out of memory|oom|segmentation fault|core dumped"
    rb"|assert(?:ion)?|diverged|not found|timed? ?out)\b|[a-z]Error\b|[a-z]Exception\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Shape:
    """All lines that differ in what varies only."""

    first: bytes
    numbers: int  # how many numbers a line of it has
    step: int | None  # which of them is the step
    metrics: tuple[tuple[int, Course], ...]
    warning: bool
    trouble: bool
    count: int = 0
    last: bytes = b""


@dataclass
class Condenser:
    """Feed it the log, chunk by chunk, and ask for the digest; the chunks' borders make no difference."""

    lines: int = 0
    size: int = 0
    traces: Traces = field(default_factory=Traces)
    _pending: bytes = b""  # of an unfinished line
    _return: bool = False  # the last chunk ended with a carriage return: a line feed may follow
    _state: bytes = b""  # of a line that is being overwritten by carriage returns
    _overwritten: int = 0
    _step: float | None = None
    _other: int = 0  # lines whose shape there was no room for
    _shapes: dict[bytes, _Shape] = field(default_factory=dict)
    _notable: int = 0
    _courses: dict[str, Course] = field(default_factory=dict)
    _head: list[bytes] = field(default_factory=list)
    _tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=TAIL))

    def feed(self, data: bytes) -> None:
        if not data:
            return
        self.size += len(data)
        data = self._pending + (b"\r" if self._return else b"") + data
        self._return = data.endswith(b"\r")
        if self._return:
            data = data[:-1]
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self._pending = _ends(data[end:])
        if end:
            self._read(data[:end].replace(b"\r\n", b"\n"))

    def finish(self) -> None:
        """The log has ended, in the middle of a line or not."""
        if self._pending or self._state or self._return:
            self._pending, self._return, rest = b"", False, self._pending
            self._read(rest + b"\n")
        self.traces.finish()

    def digest(self, status: str, reason: str) -> str:
        """The page, at most 8,000 characters of Markdown. Asked for at the end of the log."""
        self.finish()
        return render(self._facts(), status=status, reason=reason)

    @property
    def last_line(self) -> bytes:
        """The last line that shows something."""
        return next((line for line in reversed(self._tail) if line.strip()), b"")

    def _read(self, block: bytes) -> None:
        """Whole lines; of one that carriage returns overwrite, the last state that shows something."""
        # colours may stand inside of a header, hence the escape
        closely = HEADER in block or FRAME in block or b"\x1b" in block
        if b"\r" not in block and not self._state:
            self._take(_pieces(block[:-1], b"\n"), closely=closely)
            return
        *whole, unfinished = block.split(b"\n")
        for line in whole:
            *states, last = _pieces(line, b"\r")
            self._overwrite(states)
            self._take([last if last.strip() else self._state], closely=closely)
            self._state = b""
        self._overwrite(_pieces(unfinished, b"\r"))

    def _overwrite(self, states: list[bytes]) -> None:
        for state in states:
            if state.strip():
                self._overwritten += bool(self._state)
                self._state = state
                shape = self._shape(state)
                if shape is not None and (shape.metrics or shape.step is not None):
                    self._measure(shape, state)

    def _take(self, lines: list[bytes], *, closely: bool) -> None:
        if len(self._head) < HEAD:
            self._head.extend(line[:_SHOWN] for line in lines[: HEAD - len(self._head)])
        self._tail.extend(line[:_SHOWN] for line in lines[-TAIL:])
        if closely or self.traces.open:
            self._trace(lines)
        self.lines += len(lines)
        shapes = self._shapes
        for line in lines:
            shape = shapes.get(line.translate(None, _VARYING)[:_KEY]) or self._shape(line)
            if shape is None or not line:
                continue
            if not shape.count:  # it was met as a state that was overwritten
                shape.first = line[:_SHOWN]
            shape.count += 1
            shape.last = line[:_SHOWN]
            if shape.metrics or shape.step is not None:
                self._measure(shape, line)

    def _trace(self, lines: list[bytes]) -> None:
        traces = self.traces
        for number, line in enumerate(lines, self.lines + 1):
            if traces.open or HEADER in line or line.startswith(b"  " + FRAME):
                traces.take(line, number=number)

    def _shape(self, line: bytes) -> _Shape | None:
        """The shape of a line, met for the first time or not; None for a blank line and when there is no room."""
        key = _key(line)
        found = self._shapes.get(key)
        if found is not None or not line.strip():
            return found
        warning, trouble = bool(_WARNING.search(line)), bool(_TROUBLE.search(line))
        if len(self._shapes) >= MAX_SHAPES + self._notable:
            if self._notable >= MAX_NOTABLE or not (warning or trouble):
                self._other += 1
                return None
            self._notable += 1
        shape = self._shapes[key] = self._plan(line[:_READ], warning=warning, trouble=trouble)
        return shape

    def _plan(self, line: bytes, *, warning: bool, trouble: bool) -> _Shape:
        """Which number of a line is the step and which are metrics."""
        position = {number.start(): index for index, number in enumerate(_NUMBER.finditer(line))}
        steps: dict[str, int] = {}
        metrics = []
        for named in _NAMED.finditer(line):
            name, index = named[1].decode(errors="replace"), position.get(named.start(3))
            if index is None:
                continue
            if name.lower() in _STEPS:
                steps.setdefault(name.lower(), index)
            elif (course := self._course(name, bare=not named[2].strip(), number=named[3], line=line)) is not None:
                metrics.append((index, course))
        step = min(steps, key=_STEPS.index, default=None)
        return _Shape(
            first=line[:_SHOWN],
            numbers=len(position),
            step=None if step is None else steps[step],
            metrics=tuple(metrics),
            warning=warning,
            trouble=trouble,
        )

    def _course(self, name: str, *, bare: bool, number: bytes, line: bytes) -> Course | None:
        """A word and a whole number side by side are mostly prose."""
        prose = bare and number.isdigit() and b" | " not in line
        if prose or name.lower() in _PROSE or (len(name) < 2 and bare):
            return None
        if name not in self._courses and len(self._courses) < MAX_COURSES:
            self._courses[name] = Course(name)
        return self._courses.get(name)

    def _measure(self, shape: _Shape, line: bytes) -> None:
        numbers = _NUMBER.findall(line[:_READ])
        if len(numbers) != shape.numbers:  # "1 2" and "12" have the same shape
            shape = self._plan(line[:_READ], warning=False, trouble=False)
        if shape.step is not None:
            self._step = float(numbers[shape.step])
        for index, course in shape.metrics:
            course.add(float(numbers[index]), step=self._step)

    def _facts(self) -> Facts:
        shapes = [shape for shape in self._shapes.values() if shape.count]
        return Facts(
            lines=self.lines,
            size=self.size,
            overwritten=self._overwritten,
            other=self._other,
            trace=self.traces.last,
            errors=dict(self.traces.counts),
            courses=tuple(course for course in self._courses.values() if course.count),
            warnings=_repeats([shape for shape in shapes if shape.warning]),
            troubles=_repeats([shape for shape in shapes if shape.trouble and not shape.warning]),
            repeats=_repeats(
                [shape for shape in shapes if shape.count > 2 and not shape.warning and not shape.trouble]
            ),
            rare=_repeats([shape for shape in shapes if shape.count <= 2 and not shape.warning and not shape.trouble]),
            head=_folded(self._head) if self.lines > TAIL else (),
            tail=_folded(list(self._tail)),
        )


def _key(line: bytes) -> bytes:
    return line.translate(None, _VARYING)[:_KEY]


def _folded(lines: list[bytes]) -> tuple[bytes, ...]:
    """Of more than six neighbours of one shape, the first two and the last four."""
    folded: list[bytes] = []
    for _, group in itertools.groupby(filter(bytes.strip, lines), key=_key):
        alike = list(group)
        if len(alike) > 6:
            alike[2:-4] = [b"... %d more like these" % (len(alike) - 6)]
        folded += alike
    return tuple(folded)


def _repeats(shapes: list[_Shape]) -> tuple[Repeat, ...]:
    return tuple(Repeat(shape.count, shape.first, shape.last) for shape in shapes)


def _pieces(block: bytes, separator: bytes) -> list[bytes]:
    pieces = block.split(separator)
    if len(block) > 2 * MAX_PIECE and max(map(len, pieces)) > 2 * MAX_PIECE:
        pieces = [_ends(piece) for piece in pieces]
    if b"\x1b" in block:
        pieces = [_ANSI.sub(b"", piece) for piece in pieces]
    return pieces


def _ends(piece: bytes) -> bytes:
    return piece if len(piece) <= 2 * MAX_PIECE else piece[:MAX_PIECE] + piece[-MAX_PIECE:]
