"""Foreign HTML made harmless: parsed, and written anew from an allow-list, so that what comes out is well-formed.

Tags outside of the list stay readable as text. No event handlers, no styles, no ids but those of headings (with a
prefix), no remote images; links to http, https, mailto and this server only.
"""

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin

ID_PREFIX = "user-content-"

PLAIN_TAGS = frozenset(
    (
        *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "hr", "br", "blockquote", "pre", "details", "summary"),
        *(
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
            "table",
            "thead",
            "tbody",
            "tfoot",
            "tr",
            "th",
            "td",
            "a",
            "img",
            "input",
        ),
        *("b", "strong", "i", "em", "s", "strike", "del", "ins", "code", "kbd", "samp", "var", "q", "sub", "sup"),
        *("abbr", "small", "span"),
    )
)
EMPTY_TAGS = frozenset(("br", "hr", "img", "input"))
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
ALIGNABLE = frozenset(("div", "p", "table", "td", "th", "tr", *HEADINGS))
OWN_CLASSES = frozenset(
    (
        *("alert", "alert-title", "alert-note", "alert-tip", "alert-important", "alert-warning", "alert-caution"),
        *("task", "mention", "sha"),
        *(f"hl-{kind}" for kind in ("c", "s", "k", "d", "n", "b", "key", "add", "del", "hunk")),
    )
)
"""Those that our own Markdown renderer sets; a user who writes them as HTML gains nothing but their look."""

_NOISE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.\-]*):")
_SIZE = re.compile(r"^\d{1,4}%?$")
_TEXT_ALIGN = re.compile(r"^text-align:\s*(left|center|right)$")

Attributes = list[tuple[str, str | None]]


@dataclass(frozen=True)
class Base:
    """Where relative addresses start. Images in a file of the repository need its bytes, not its page."""

    links: str
    raw_images: bool = False


def sanitise(html: str, base: Base) -> str:
    writer = _Writer(base)
    writer.feed(_without_open_ends(html))
    writer.close()
    return writer.result()


def _without_open_ends(html: str) -> str:
    """Comments and tags that never end are text: over many of them Python's parser takes quadratic time."""
    for opening, closing in (("<!--", "-->"), ("<", ">")):
        end = html.rfind(closing) + 1
        html = html[:end] + html[end:].replace(opening, "&lt;" + opening[1:])
    return html


def link_target(url: str, base: Base) -> str | None:
    """The absolute address, or None for one that may not be followed."""
    clean = _NOISE.sub("", url)
    scheme = _SCHEME.match(clean)
    if scheme:
        return clean if scheme[1].lower() in ("http", "https", "mailto") else None
    if clean.startswith("#"):
        return f"#{ID_PREFIX}{clean[1:]}"
    try:
        return urljoin(base.links, clean.replace("\\", "/"))
    except ValueError:
        return None


def image_source(url: str, base: Base) -> str | None:
    """An address on this server, or None: a remote picture would tell its host who reads this."""
    target = link_target(url, base)
    if target is None or not target.startswith("/") or target.startswith("//"):
        return None
    if base.raw_images and "/blob/" in target and "raw=" not in target:
        return target + ("&" if "?" in target else "?") + "raw=true"
    return target


class _Writer(HTMLParser):
    def __init__(self, base: Base) -> None:
        super().__init__(convert_charrefs=True)
        self._base = base
        self._out: list[str] = []
        self._open: list[str] = []

    def result(self) -> str:
        return "".join([*self._out, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag not in PLAIN_TAGS:
            self._text(self.get_starttag_text() or f"<{tag}>")
        elif tag == "img":
            self._image(dict(attrs))
        elif tag == "input":
            self._checkbox(dict(attrs))
        else:
            kept = "".join(f' {name}="{escape(value)}"' for name, value in self._kept(tag, attrs))
            self._out.append(f"<{tag}{kept}>")
            if tag not in EMPTY_TAGS:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in PLAIN_TAGS:
            self._text(f"</{tag}>")
        elif tag in self._open:
            while (closed := self._open.pop()) != tag:
                self._out.append(f"</{closed}>")
            self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._text(data)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """`<![` begins a comment for a browser; Python 3.11 raises AssertionError at what it does not know there."""
        return self.parse_bogus_comment(i)

    # Comments, declarations and processing instructions are hidden, as on GitHub: HTMLParser's own handlers drop them.

    def _text(self, text: str) -> None:
        self._out.append(escape(text, quote=False))

    def _kept(self, tag: str, attrs: Attributes) -> list[tuple[str, str]]:
        given = {name: value or "" for name, value in reversed(attrs)}
        kept = [("title", given["title"])] if "title" in given else []
        classes = OWN_CLASSES.intersection(given.get("class", "").split())
        if classes:
            kept.append(("class", " ".join(sorted(classes))))
        if tag == "a":
            kept += self._link(given)
        if tag in HEADINGS and given.get("id"):
            kept.append(("id", ID_PREFIX + given["id"].removeprefix(ID_PREFIX)))
        if tag == "details" and "open" in given:
            kept.append(("open", ""))
        if tag in ALIGNABLE:
            kept += _alignment(given)
        numbers = {"ol": ("start",), "td": ("colspan", "rowspan"), "th": ("colspan", "rowspan")}.get(tag, ())
        return kept + [(name, given[name]) for name in numbers if _SIZE.match(given.get(name, ""))]

    def _link(self, given: dict[str, str]) -> list[tuple[str, str]]:
        target = link_target(given["href"], self._base) if "href" in given else None
        return [("href", target), ("rel", "nofollow noopener")] if target else []

    def _image(self, given: dict[str, str | None]) -> None:
        url, alt = given.get("src") or "", given.get("alt") or ""
        source = image_source(url, self._base)
        if source is None:
            target = link_target(url, self._base)
            shown = escape(alt or "image")
            self._out.append(f'<a href="{escape(target)}" rel="nofollow noopener">{shown}</a>' if target else shown)
            return
        sizes = {name: given.get(name) or "" for name in ("width", "height")}
        size = "".join(f' {name}="{value}"' for name, value in sizes.items() if _SIZE.match(value))
        self._out.append(f'<img src="{escape(source)}" alt="{escape(alt)}" loading="lazy"{size}>')

    def _checkbox(self, given: dict[str, str | None]) -> None:
        if given.get("type") == "checkbox":
            checked = " checked" if "checked" in given else ""
            self._out.append(f'<input type="checkbox" disabled{checked}>')


def _alignment(given: dict[str, str]) -> list[tuple[str, str]]:
    """`style` does not pass our own content security policy; the old attribute does."""
    style = _TEXT_ALIGN.match(given.get("style", "").strip())
    side = style[1] if style else given.get("align", "").lower()
    return [("align", side)] if side in ("left", "center", "right") else []
