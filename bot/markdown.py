"""Markdown read by its structure: sections, lists and fences, cut from the source without re-rendering it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark").enable("table")
_BOX = re.compile(r"^\[([ xX])\]\s+")

# What ends the kinds of HTML block that go on over blank lines.
_HTML_ENDS = ("-->", "</pre>", "?>", "]]>", ">")


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
    """One entry of a list. `done` is None when it has no check box; `text` stands in the lines from `line` to `end`."""

    text: str
    done: bool | None
    line: int
    end: int


def lines(text: str) -> list[str]:
    """The lines as the parser counts them, each with its end. `str.splitlines` sees more: at form feeds, for one."""
    return StringIO(text, newline="").readlines()


def _headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    tokens = _PARSER.parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            yield int(token.tag[1]), plain(inline), token.map[0], token.map[1]


def sections(text: str) -> tuple[Section, ...]:
    """Every heading of the document, in order, each with all that is below it."""
    headings = list(_headings(text))
    last = len(lines(text))
    found = []
    for index, (level, title, start, body) in enumerate(headings):
        end = next((h[2] for h in headings[index + 1 :] if h[0] <= level), last)
        found.append(Section(level, title, start, body, end))
    return tuple(found)


def section(text: str, title: str) -> Section | None:
    """The first section whose title is this, whatever the case and the mark-up around it."""
    return next((found for found in sections(text) if same(found.title, title)), None)


def body(text: str, found: Section) -> str:
    return "".join(lines(text)[found.body : found.end]).strip("\r\n")


def replace(text: str, found: Section, content: str) -> str:
    """The document with this section, heading included, replaced by `content`; every other line is as it was."""
    before, after = lines(text)[: found.start], lines(text)[found.end :]
    if content:
        before.append(f"{content.rstrip()}\n")
    gap = "\n" if after and before and before[-1].strip() else ""
    # Indented, the next heading would belong to a list that the content ends with.
    return "".join(before) + gap + "".join(after).lstrip(" ")


def closed(text: str) -> str:
    """The text with what is open at its end closed, a fence or a comment: what follows is then read as it is meant."""
    tokens = _PARSER.parse(text)
    fence = tokens[-1].markup if tokens and tokens[-1].type == "fence" else ""
    ends = [fence, *_HTML_ENDS] if fence else _HTML_ENDS
    kept = text.rstrip("\r\n")
    candidates = (text, *(f"{kept}\n{end}\n" for end in ends))
    return next(filter(_is_closed, candidates), text)


def _is_closed(text: str) -> bool:
    probe = f"{text}\n\n# After"
    return any(start == len(lines(probe)) - 1 for _, _, start, _ in _headings(probe))


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
            inline = _first_inline(tokens, index)
            if inline and inline.map:
                box = _BOX.match(inline.content)
                done = None if box is None else box[1] != " "
                text = one_line(_BOX.sub("", inline.content))
                found.append(Item(text, done, token.map[0], inline.map[1]))
    return tuple(item for item in found if item.text)


def _first_inline(tokens: list[Token], index: int) -> Token | None:
    for token in tokens[index + 1 :]:
        if token.type == "inline":
            return token
        if token.type in ("list_item_open", "list_item_close"):
            break
    return None


def plain(inline: Token) -> str:
    """The text of a heading without its mark-up."""
    said = ("text", "code_inline", "softbreak", "hardbreak")
    parts = [child.content or " " for child in inline.children or [] if child.type in said]
    return "".join(parts).strip()


def same(one: str, other: str) -> bool:
    """Whether two headings or tasks say the same, but for case, punctuation and spaces."""
    return _key(one) == _key(other)


def _key(text: str) -> str:
    return re.sub(r"[^\w]+", " ", text.casefold()).strip() or one_line(text)


def one_line(text: str) -> str:
    return " ".join(text.split())


def cell(text: str) -> str:
    """Text that fits in one cell of a table."""
    return one_line(text).replace("\\", "\\\\").replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = tuple("---" for _ in head)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def fenced(text: str, language: str = "") -> str:
    """The text in a fence that nothing inside it can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
