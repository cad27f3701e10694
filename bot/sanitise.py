"""What makes foreign text safe to post: it can be read, and does nothing else. Pure."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

_JOINER = "\u2060"
"""A word joiner: nobody sees it, and nothing that it stands in is a name, a link or a tag any more."""
_LINE_END = re.compile(r"\r\n?")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Each matches the empty place into which a joiner goes. GitHub looks for some of these after Markdown has taken its
# backslashes away, so one in the middle does not matter.
_ACTIVE = re.compile(
    r"(?<=@)(?=[a-z0-9])"  # a person, a team, an address
    r"|(?<=#)(?=\d)|(?<=\bgh-)(?=\d)|(?<=\bgh\\-)(?=\d)"  # an issue
    r"|(?<=&)(?=#?\w+;)"  # an entity, which may stand for any of these
    r"|(?<=:)(?=\\?/\\?/)|(?<=www)(?=\\?\.)"  # an address that is a link by itself
    r"|(?<=\])(?=[(:])"  # a link, an image, the address of either
    r"|(?<=<)(?=[a-z/!?])",  # a tag, a comment of HTML, hence a mark of ours
    re.IGNORECASE,
)
_COMMAND = re.compile(r"^([ \t]*)/(?=[a-z])", re.MULTILINE | re.IGNORECASE)
_COMMENT = re.compile(r"<(?=!--)")
_FENCE = re.compile(r"(?=```|~~~)")


def safe(text: str) -> str:
    """Text that a model, a log or a stranger wrote, so that it can do nothing on GitHub but be read.

    It stands in paragraphs of its own. Mentions, references, links, images and HTML show as they were written, and no
    line is a command. Code in a fence stays as it is, and a fence that was left open is closed.
    """
    lines = _seen(text).split("\n")
    quiet = _quiet("\n".join(lines)).split("\n")
    for fence in _fences(quiet):
        assert fence.map is not None
        first, end = fence.map[0] + 1, fence.map[1]
        quiet[first:end] = [_COMMENT.sub(f"<{_JOINER}", line) for line in lines[first:end]]
        if not _is_closed(fence, quiet[first:end]):
            quiet.append(fence.markup)
    return "\n".join(quiet)


def safe_line(text: str) -> str:
    """The same for a text that stands in a line of ours, where it cannot begin a block."""
    line = _quiet(" ".join(_seen(text).split()))
    return _JOINER + line if _FENCE.match(line) else line


def _seen(text: str) -> str:
    return _UNSEEN.sub("", _LINE_END.sub("\n", text))


def _quiet(text: str) -> str:
    return _COMMAND.sub(rf"\1{_JOINER}/", _ACTIVE.sub(_JOINER, text))


def _fences(lines: list[str]) -> list[Token]:
    """Not those inside lists and quotes, whose ends depend on more than themselves."""
    tokens = MarkdownIt("commonmark").disable("inline").parse("\n".join(lines))
    return [token for token in tokens if token.type == "fence" and token.level == 0]


def _is_closed(fence: Token, lines: list[str]) -> bool:
    """Whether its last line is the second mark."""
    last = lines[-1].strip() if lines else ""
    return len(last) >= len(fence.markup) and set(last) == {fence.markup[0]}
