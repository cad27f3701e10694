"""The summary of a training: facts copied out of the digest, number by number. Pure."""

import re
from collections.abc import Iterator

from bot.models.baseline import words
from bot.models.baseline.reading import Question

_MOST = 10  # bullets
_ROW = re.compile(
    r"\| ([\w./@% -]+?) \| ([^|]*)\| ([^|]*)\| ([^|]*)\| ([^|]*)\| ([^|]*)\| ([^|]*)\| ([^|]*)\| [^|]* \|"
)


def summarize(question: Question) -> str:
    facts = question.facts
    lines = [f"Outcome: {facts.status or 'not told'}. {facts.reason}", f"Time: {facts.time or 'not told'}"]
    lines += [f"Error: {facts.error}"] if facts.error else []
    figures = [f"`{figure.name}` {figure.text}" for figure in facts.figures]
    lines += [f"Final metrics: {', '.join(figures)}"] if figures else ["No final metrics."]
    lines += list(_courses(question.digest))[:3]
    lines += list(_notable(question.digest))
    return words.reply(("Summary", words.bullets(lines[:_MOST])))


def _courses(digest: str) -> Iterator[str]:
    """Metrics that were logged more than once, from the digest's table."""
    for match in map(_ROW.match, digest.split("\n")):
        if match is None or match[1] in ("metric", "---") or not match[3].strip():
            continue
        first, quarter, half, last_quarter, last = (match[index].strip() for index in range(2, 7))
        quarters = f"{quarter}, {half} and {last_quarter}"
        yield (f"`{match[1]}`: {_at(first)}; {quarters} at the quarters; {_at(last)} at the end")


def _at(reading: str) -> str:
    value, _, step = reading.partition(" @ ")
    return f"{value} at step {step}" if step else value


def _notable(digest: str) -> Iterator[str]:
    """The first lines of the digest's sections of warnings and errors, in backticks: they are the log's own words."""
    for title in ("Error", "Errors in passing", "Warnings"):
        found = re.search(rf"^## {title}\n+```\w*\n(.*?)^```", digest, re.MULTILINE | re.DOTALL)
        if found:
            lines = found[1].strip().split("\n")
            line = lines[-1] if title == "Error" else lines[0]
            yield f"{title}: {words.code(line[:200])}"
