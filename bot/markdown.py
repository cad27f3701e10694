"""Markdown read by its structure: sections, lists and fences, cut from the source without re-rendering it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark").enable("table")
_BOX = re.compile(r"^\[([ xX])\]\s+")


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it. `start`, `body` and `end` are line numbers; a section has its subsections."""

    level: int
    title: str
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Fence:
    language: str
    code: str


@dataclass(frozen=True)
class Item:
    """One entry of a list. `done` is None when it has no check box; `line` is where it starts."""

    text: str
    done: bool | None
    line: int


def _headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    tokens = _PARSER.parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            yield int(token.tag[1]), plain(inline), token.map[0], token.map[1]


def sections(text: str) -> tuple[Section, ...]:
    """Every heading of the document, in order, each with all that is below it."""
    headings = list(_headings(text))
    last = len(text.splitlines())
    found = []
    for index, (level, title, start, body) in enumerate(headings):
        end = next((h[2] for h in headings[index + 1 :] if h[0] <= level), last)
        found.append(Section(level, title, start, body, end))
    return tuple(found)


def section(text: str, title: str) -> Section | None:
    """The first section whose title is this, whatever the case and the mark-up around it."""
    return next((found for found in sections(text) if same(found.title, title)), None)


def body(text: str, found: Section) -> str:
    return "\n".join(text.splitlines()[found.body : found.end]).strip("\n")


def replace(text: str, found: Section, content: str) -> str:
    """The document with this section, heading included, replaced by `content`."""
    lines = text.splitlines()
    after = lines[found.end :]
    new = content.rstrip("\n").splitlines() + ([""] if after else [])
    return "\n".join(lines[: found.start] + new + after) + "\n"


def fences(text: str) -> tuple[Fence, ...]:
    return tuple(
        Fence(token.info.split()[0].lower() if token.info.split() else "", token.content)
        for token in _PARSER.parse(text)
        if token.type == "fence"
    )


def items(text: str) -> tuple[Item, ...]:
    """The entries of every list in the text, nested ones too, in order; each is its first paragraph in one line."""
    tokens = _PARSER.parse(text)
    found = []
    for index, token in enumerate(tokens):
        if token.type == "list_item_open" and token.map:
            source = _first_inline(tokens, index)
            box = _BOX.match(source)
            done = None if box is None else box[1] != " "
            found.append(Item(" ".join(_BOX.sub("", source).split()), done, token.map[0]))
    return tuple(item for item in found if item.text)


def _first_inline(tokens: list[Token], index: int) -> str:
    for token in tokens[index + 1 :]:
        if token.type == "inline":
            return token.content
        if token.type in ("list_item_open", "list_item_close"):
            break
    return ""


def plain(inline: Token) -> str:
    """The text of a heading without its mark-up."""
    parts = [child.content for child in inline.children or [] if child.type in ("text", "code_inline")]
    return "".join(parts).strip()


def same(one: str, other: str) -> bool:
    """Whether two headings or tasks say the same, but for case, punctuation and spaces."""
    return _key(one) == _key(other)


def _key(text: str) -> str:
    return re.sub(r"[^\w]+", " ", text.casefold()).strip()


def cell(text: str) -> str:
    """Text that fits in one cell of a table."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def fenced(text: str, language: str = "") -> str:
    """The text in a fence that nothing inside it can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
