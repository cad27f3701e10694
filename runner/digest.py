"""The digest's page: what the condenser found, as Markdown of at most 8,000 characters, the useful first.

Every line of the log stands in a code fence, so that nothing in it is Markdown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.course import Course, Reading
from runner.redact import redact
from runner.traces import Trace

MAX_DIGEST = 8_000
_MAX_LINE = 240
_ROOM_TO_END = 200  # characters kept free: redaction and fences may add some
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_RUN = re.compile(r"([^\w\s])\1{11,}|(�)�{3,}|([█▏▎▍▌▋▊▉━─═]){13,}")
_FIRST_WORTH = re.compile(r"val|eval|test|best|final|bpb|acc|f1|auc|bleu|ppl|score", re.IGNORECASE)
_THEN_WORTH = re.compile(r"loss|error|reward|grad|lr", re.IGNORECASE)


@dataclass(frozen=True)
class Repeat:
    """Lines of one shape."""

    count: int
    first: bytes
    last: bytes


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the condenser kept of a log."""

    lines: int
    size: int
    overwritten: int  # states of progress bars
    other: int  # lines that there was no room to tell apart
    trace: Trace | None
    errors: dict[bytes, int]
    courses: tuple[Course, ...]
    warnings: tuple[Repeat, ...]
    troubles: tuple[Repeat, ...]
    repeats: tuple[Repeat, ...]
    rare: tuple[Repeat, ...]
    head: tuple[bytes, ...]
    tail: tuple[bytes, ...]


@dataclass(frozen=True)
class _Section:
    title: str
    lines: list[str]
    room: int  # characters at most
    rank: int  # who takes first; what is left goes to the next
    fenced: bool = True
    end: bool = False  # keep the last lines rather than the first


def render(facts: Facts, *, status: str, reason: str) -> str:
    said = " ".join(_clean(reason.encode(errors="replace"), limit=600).split())
    top = f"# Digest\n\nStatus: **{_clean(status.encode(errors='replace'), limit=40)}**. {said}\n\n{_size(facts)}\n"
    room = MAX_DIGEST - _ROOM_TO_END - len(top)
    shown: dict[str, str] = {}
    sections = _sections(facts)
    for section in sorted(sections, key=lambda section: section.rank):
        text = _fit(section, min(section.room, room))
        shown[section.title] = text
        room -= len(text)
    return redact(top + "".join(shown[section.title] for section in sections))[:MAX_DIGEST]


def _sections(facts: Facts) -> list[_Section]:
    """In the order of the page."""
    traced = set(facts.trace.lines) if facts.trace else set()
    rare = [line for repeat in facts.rare for line in _both(repeat) if line not in traced]
    inside = set(facts.head) | set(facts.tail)
    return [
        _Section("Error", _error_lines(facts), 2600, 0),
        _Section("Metrics", _course_lines(facts.courses), 2000, 1, fenced=False),
        _Section("Errors in passing", _counted(facts.troubles, traced), 800, 3),
        _Section("Warnings", _counted(facts.warnings, traced), 800, 4),
        _Section("Said once or twice", [_clean(line) for line in rare if line not in inside], 900, 6),
        _Section("Said again and again", _counted(_most(facts.repeats), traced), 700, 5),
        _Section("Beginning", [_clean(line) for line in facts.head], 800, 7),
        _Section("End", [_clean(line) for line in facts.tail if line not in traced], 1500, 2, end=True),
    ]


def _size(facts: Facts) -> str:
    text = f"{facts.lines:,} lines, {facts.size:,} bytes"
    if facts.overwritten:
        text += f"; {facts.overwritten:,} states of progress bars left out"
    if facts.other:
        text += f"; {facts.other:,} lines of too many kinds left out"
    return text + "."


def _error_lines(facts: Facts) -> list[str]:
    if facts.trace is None:
        return []
    lines = [_clean(line, limit=500) for line in facts.trace.lines if line.strip()]
    if len(lines) > 44:
        lines = [*lines[:12], f"… {len(lines) - 42} lines left out", *lines[-30:]]
    errors = sorted(facts.errors.items(), key=lambda item: -item[1])
    others = [(error, count) for error, count in errors if error != facts.trace.error or count > 1]
    return lines + [f"{count} × {_clean(error)}" for error, count in others[:6]]


def _course_lines(courses: Iterable[Course]) -> list[str]:
    rows = [_course_line(course) for course in sorted(courses, key=_worth)]
    if not rows:
        return []
    head = ["| metric | first | 25 % | 50 % | 75 % | last | lowest | highest | values |", "|---" * 9 + "|"]
    return head + rows


def _worth(course: Course) -> int:
    if _FIRST_WORTH.search(course.name):
        return 0
    return 1 if _THEN_WORTH.search(course.name) else 2


def _course_line(course: Course) -> str:
    quarters = [_short(value) for value in course.quarters()] if course.count > 3 else [""] * 3
    values = f"{course.count}" + (f", {course.bad} of them not finite" if course.bad else "")
    ends = [_at(course.first), *quarters, _at(course.last), _at(course.low), _at(course.high)]
    return f"| {course.name} | {' | '.join(ends)} | {values} |"


def _at(reading: Reading | None) -> str:
    if reading is None:
        return ""
    return _short(reading.value) + (f" @ {reading.step:.6g}" if reading.step is not None else "")


def _short(value: float) -> str:
    return f"{value:.5g}" if math.isfinite(value) and abs(value) < 1e5 else f"{value:.6g}"


def _most(repeats: Iterable[Repeat]) -> list[Repeat]:
    return sorted(repeats, key=lambda repeat: -repeat.count)[:12]


def _counted(repeats: Iterable[Repeat], traced: set[bytes]) -> list[str]:
    return [f"{repeat.count:,} × {_clean(repeat.last)}" for repeat in repeats if repeat.last not in traced]


def _both(repeat: Repeat) -> tuple[bytes, ...]:
    return (repeat.first,) if repeat.first == repeat.last else (repeat.first, repeat.last)


def _fit(section: _Section, room: int) -> str:
    """As many whole lines as there is room for, between title and fence."""
    opening, closing = (
        (f"\n## {section.title}\n\n```text\n", "```\n") if section.fenced else (f"\n## {section.title}\n\n", "")
    )
    room -= len(opening) + len(closing) + 30
    kept: list[str] = []
    for line in reversed(section.lines) if section.end else section.lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"… {len(section.lines) - len(kept)} more" if section.fenced else "")
            break
        kept.append(line)
    if not any(kept) or (room < 0 and len(kept) == 1):
        return ""
    return opening + "".join(f"{line}\n" for line in (reversed(kept) if section.end else kept) if line) + closing


def _clean(line: bytes, *, limit: int = _MAX_LINE) -> str:
    """Printable, within the limit, and unable to close a fence."""
    text = _CONTROL.sub("", line.decode(errors="replace").replace("\t", "    ")).rstrip()
    text = _RUN.sub(lambda run: run[0][:3] + "…", text).replace("```", "'''")
    return text if len(text) <= limit else f"{text[: limit - 80]} … {text[-70:]}"
