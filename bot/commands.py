"""Slash commands in comments: what was typed at the start of a line, not what was quoted or shown as code."""

import difflib
import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

KNOWN = {
    "revise-plan": "`/revise-plan [guidance]`: rewrite PLAN.md and TASKS.md, along the guidance if there is any",
    "report": "`/report`: stop here and write the report",
    "help": "`/help`: list the commands",
}

# A second slash makes it a path: /home/x, /usr/bin.
_COMMAND = re.compile(r"/([A-Za-z][A-Za-z-]{0,31})[:.,!]?(?:[ \t]+(.*))?")
_LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True)
class Command:
    """`name` is in lower case and need not be one of KNOWN; `guidance` is what follows it, over all lines."""

    name: str
    guidance: str = ""


def parse(text: str) -> tuple[Command, ...]:
    """The commands of a comment, in order. Each takes the lines up to the next as its guidance."""
    lines = _LINE_END.split(text)
    if not any(line.startswith("/") for line in lines):
        return ()
    literal = _literal_lines(text)
    found: list[tuple[str, list[str]]] = []
    for number, line in enumerate(lines):
        match = None if number in literal else _COMMAND.fullmatch(line)
        if match:
            found.append((match[1].lower(), [match[2] or ""]))
        elif found:
            found[-1][1].append(line)
    return tuple(Command(name, "\n".join(guidance).strip()) for name, guidance in found)


def nearest(name: str) -> str | None:
    """The available command that was probably meant."""
    return next(iter(difflib.get_close_matches(name.lower(), KNOWN, n=1)), None)


def _literal_lines(text: str) -> frozenset[int]:
    """The numbers of the lines that Markdown takes as they are: fences, indented code, HTML and its comments.

    A quoted line begins with `>`, so that it cannot begin with a command; one typed right below a quote counts.
    """
    markdown = MarkdownIt("commonmark").disable("inline")
    blocks = [token.map for token in markdown.parse(text) if token.type in ("fence", "code_block", "html_block")]
    return frozenset(number for block in blocks if block for number in range(*block))
