"""Phrases that several answers share, and the Markdown that answers are made of. Pure."""

import re
from collections.abc import Sequence

from bot import markdown
from bot.facts import MINUS, show
from bot.models.baseline.family import cannot
from bot.models.baseline.reading import Question, Row

CANNOT = "Cannot"


def reply(*parts: tuple[str, str]) -> str:
    """The answer with its headings. Where foreign text in it would hide one of them, it says so instead."""
    text = "\n\n".join(f"## {title}\n\n{_lines(title, body)}" for title, body in parts) + "\n"
    titles = [title for title, _ in parts]
    found = [section.title for section in markdown.sections(text) if section.title in (*titles, CANNOT)]
    if found != titles:
        return f"## {CANNOT}\n\n{cannot('The text that this answer has to repeat hides its headings.')}\n"
    return text


def _lines(title: str, body: str) -> str:
    """Foreign text may have line ends that Markdown does not take for any. Code is left as it is."""
    return body.strip() if title == "Code" else re.sub(r"[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", " ", body).strip()


def declined(why: str) -> str:
    return f"## {CANNOT}\n\n{' '.join(why.split())}\n"


def bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """a, b and c"""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def code(text: str) -> str:
    """In backticks, whatever backticks it has itself."""
    return f"`{text.replace('`', '')}`"


def apart(value: float) -> str:
    """A difference, as fine as the values that it lies between are shown."""
    return f"{abs(value):.4f}"


def signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", MINUS)


def percent(part: float) -> str:
    return f"{100 * part:.2g} %" if abs(part) < 0.1 else f"{100 * part:.0f} %"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def best_row(question: Question) -> Row | None:
    """The run whose result the next one has to beat: those that were discarded do not count."""
    kept = [row for row in question.rows if row.value is not None and not row.discarded and not row.failed]
    if not kept:
        return None
    lower = question.metric is None or question.metric.lower
    return min(kept, key=lambda row: (row.value or 0.0) * (1 if lower else -1))


def value_of(row: Row) -> str:
    return show(row.value) if row.value is not None else "no value"
