"""What makes foreign text safe to post: it can be read, and does nothing else. Pure."""

import re

_MENTION = re.compile(r"(?<![\w`])@(?=[A-Za-z0-9])")
_REFERENCE = re.compile(r"(?<![\w`&])#(?=\d)|\b(?:GH-)(?=\d)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_IMAGE = re.compile(r"!\[([^\]]*)\]\s*[(\[]")
_LINK = re.compile(r"\]\(\s*(?:https?:)?//", re.IGNORECASE)
_URL = re.compile(r"\bhttps?://(?=\S)", re.IGNORECASE)
_COMMAND = re.compile(r"^(\s*)/(?=[A-Za-z])", re.MULTILINE)
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_WORD_JOINER = "\u2060"


def safe(text: str) -> str:
    """Text that a model, a log or a stranger wrote, so that it can do nothing on GitHub but be read.

    Mentions and references to issues do not link, HTML and images show as text, links do not leave the page, and
    no line is a command. Code fences and tables stay what they are.
    """
    text = _INVISIBLE.sub("", text)
    text = _TAG.sub("&lt;", text)
    text = _IMAGE.sub(r"\\![\1](", text)
    text = _LINK.sub("](#", text)
    text = _URL.sub(f"http{_WORD_JOINER}://", text)
    text = _MENTION.sub(f"@{_WORD_JOINER}", text)
    text = _REFERENCE.sub(f"#{_WORD_JOINER}", text)
    return _COMMAND.sub(rf"\1{_WORD_JOINER}/", text)
