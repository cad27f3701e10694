"""Markdown as GitHub shows it: tables, task lists, alerts; addresses, `#12`, `@someone`, commits linked. Harmless."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from bot.local.pages.highlight import highlight
from bot.local.pages.sanitise import Base, sanitise

LONGEST = 400_000
"""Markdown beyond this many characters is shown as it is written."""

_BOX = re.compile(r"^\[([ xX])\][ \t]+")
_ALERT = re.compile(r"^\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*$", re.IGNORECASE)
_LINKS = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"]+)"
    r"|(?<![\w&/#])#(?P<number>\d{1,7})\b"
    r"|(?<![\w@/.])@(?P<login>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:\[bot\])?)"
    r"|(?<![\w/])(?P<sha>[0-9a-f]{40})\b"
)


@dataclass(frozen=True)
class Place:
    """Where a text stands, for what it links to. `comment` texts keep their line breaks, as on GitHub."""

    repo: str
    """Its page: /owner/name"""
    base: Base
    comment: bool = True
    people: frozenset[str] = field(default=frozenset())
    last_number: int = 0


def comment_place(repo: str, *, people: frozenset[str], last_number: int) -> Place:
    return Place(repo=repo, base=Base(f"{repo}/issues/"), people=people, last_number=last_number)


def file_place(repo: str, ref: str, path: str) -> Place:
    folder = path.rpartition("/")[0]
    base = Base(f"{repo}/blob/{ref}/{folder}/" if folder else f"{repo}/blob/{ref}/", raw_images=True)
    return Place(repo=repo, base=base, comment=False)


@lru_cache(maxsize=1024)
def render(text: str, place: Place) -> Markup:
    """Kept, because a page that is watched asks for the same texts every few seconds."""
    if len(text) > LONGEST:
        return Markup("<pre>{}</pre>").format(text)
    html = str(_PARSERS[place.comment].render(text, {"place": place}))
    return Markup(sanitise(html, place.base))


def _parser(*, breaks: bool) -> MarkdownIt:
    options = {"html": True, "breaks": breaks, "highlight": _code}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.core.ruler.push("tasks", _mark_tasks)
    parser.core.ruler.push("alerts", _mark_alerts)
    parser.core.ruler.push("anchors", _name_headings)
    parser.core.ruler.push("links", _link_text)
    return parser


def _code(code: str, language: str, _attributes: str) -> str:
    return highlight(code, language)


def _mark_tasks(state: StateCore) -> None:
    for index, token in enumerate(state.tokens[:-2]):
        inline = state.tokens[index + 2]
        if token.type == "list_item_open" and inline.type == "inline" and inline.children:
            first = inline.children[0]
            box = _BOX.match(first.content) if first.type == "text" else None
            if box:
                first.content = first.content[box.end() :]
                checked = "" if box[1] == " " else " checked"
                inline.children.insert(0, _html(f'<input type="checkbox" disabled{checked}> '))
                token.attrJoin("class", "task")


def _mark_alerts(state: StateCore) -> None:
    for index, token in enumerate(state.tokens[:-2]):
        inline = state.tokens[index + 2]
        if token.type == "blockquote_open" and inline.type == "inline" and inline.children:
            kind = _ALERT.match(inline.children[0].content)
            if kind and (len(inline.children) == 1 or inline.children[1].type in ("softbreak", "hardbreak")):
                word = kind[1].lower()
                token.attrJoin("class", f"alert alert-{word}")
                title = _html(f'<strong class="alert-title">{word.capitalize()}</strong><br>')
                inline.children[:2] = [title]


def _name_headings(state: StateCore) -> None:
    """The anchors that GitHub gives, so that links within a document arrive."""
    seen: dict[str, int] = {}
    for token, inline in zip(state.tokens, state.tokens[1:], strict=False):
        if token.type == "heading_open":
            text = "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))
            slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            token.attrSet("id", f"{slug}-{count}" if count else slug)


def _link_text(state: StateCore) -> None:
    place = state.env["place"]
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_linked(token.children, place))


def _linked(children: list[Token], place: Place) -> Iterator[Token]:
    depth = 0
    for token in children:
        if token.type in ("link_open", "link_close"):
            depth += token.nesting
        elif token.type == "html_inline" and re.match(r"</?a[\s>]", token.content, re.IGNORECASE):
            depth = max(0, depth + (-1 if token.content.startswith("</") else 1))
        if token.type == "text" and depth == 0:
            yield _html(_with_links(token.content, place))
        else:
            yield token


def _with_links(text: str, place: Place) -> str:
    done, parts = 0, []
    for found in _LINKS.finditer(text):
        link = _link(found, place)
        if link:
            shown = found.group()
            end = found.start() + len(_without_tail(shown)) if found["url"] else found.end()
            parts += [escapeHtml(text[done : found.start()]), link]
            done = end
    return "".join([*parts, escapeHtml(text[done:])])


def _link(found: re.Match[str], place: Place) -> str | None:
    if found["url"]:
        url = escapeHtml(_without_tail(found["url"]))
        return f'<a href="{url}">{url}</a>'
    if found["number"]:
        number = int(found["number"])
        known = 0 < number <= place.last_number
        return f'<a href="{place.repo}/issues/{number}">#{number}</a>' if known else None
    if found["login"]:
        login = found["login"]
        known = login in place.people
        return f'<a class="mention" href="{place.repo}/issues?author={login}">@{login}</a>' if known else None
    sha = found["sha"]
    return f'<a class="sha" href="{place.repo}/commit/{sha}"><code>{sha[:7]}</code></a>'


def _without_tail(url: str) -> str:
    """A sentence's punctuation does not belong to the address, nor does a bracket that was opened before it."""
    url = url.rstrip(".,:;!?'*_~")
    return url[:-1].rstrip(".,:;!?'*_~") if url.endswith(")") and url.count(")") > url.count("(") else url


def _html(content: str) -> Token:
    return Token("html_inline", "", 0, content=content)


_PARSERS: dict[bool, MarkdownIt] = {comment: _parser(breaks=comment) for comment in (True, False)}
