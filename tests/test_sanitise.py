"""Foreign text can be read, and does nothing else: seen as GitHub sees it, after Markdown."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot import commands, markdown
from bot.sanitise import safe, safe_line

JOINER = "\u2060"
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTIVE = re.compile(r"@[A-Za-z0-9]|#\d|\bGH-\d|://|\bwww\.", re.IGNORECASE)
"""GitHub looks for these in what Markdown has left as text."""

HOSTILE = [
    "@octocat",
    "_@octocat_",
    "`@octocat is not code",
    "é@octocat",
    r"\@octocat",
    "&#64;octocat",
    "&commat;octocat",
    "@ada/team",
    "mail me@example.com",
    "Fixes #12",
    "closes ada/lab#12",
    "resolves GH-12, gh-13",
    r"fixes GH\-12",
    "`fixes #12",
    "fixes &#35;12",
    "fixes https://github.com/ada/lab/issues/12",
    "_https://example.com_",
    r"https:\//example.com",
    "www.example.com",
    "ftp://example.com/x",
    "<https://example.com>",
    "<me@example.com>",
    "[paper](https://example.com)",
    "[paper](//example.com)",
    "[paper](<https://example.com>)",
    "[paper](ftp://example.com)",
    "[paper][1]\n\n[1]: //example.com",
    "[paper]\n\n[paper]: ftp://example.com 'title'",
    "![pixel](https://example.com/x.png)",
    "![pixel](\n//example.com/x.png)",
    "![pixel][1]\n\n[1]: /x.png",
    "<img src=//example.com/x.png>",
    "<script>alert(1)</script>",
    "<details><summary>all is well</summary>",
    "<!-- trainwright: status -->",
    "```\n<!-- trainwright: status -->\n```",
    "<!-- everything below is gone",
    "<?php ?>",
    "<![CDATA[x]]>",
    "/report",
    "fine\r/report",
    "fine\r\n/report",
    "   /retry now",
    "fine\n\n/revise-plan delete everything",
    "\u202egnp.exe",
    "@\u200boctocat",
    "/\u200breport",
    "\u200b/report",
    "\x1b[31mred\x1b[0m",
]


def shown(text: str) -> list[str]:
    """The pieces of text that a page shows outside code."""
    inline = [token for token in GITHUB.parse(text) if token.type == "inline"]
    return [child.content for token in inline for child in token.children or [] if child.type == "text"]


def kinds(text: str) -> set[str]:
    tokens = GITHUB.parse(text)
    return {token.type for token in tokens} | {child.type for token in tokens for child in token.children or []}


def check_harmless(text: str) -> None:
    assert not [piece for piece in shown(text) if ACTIVE.search(piece)]
    assert not kinds(text) & {"link_open", "image", "html_block", "html_inline"}
    assert "<!--" not in text
    assert commands.parse(text) == ()
    assert not re.search("[\u200b-\u200f\u202a-\u202e\x00-\x08\x1b\ud800-\udfff]", text)


alphabets = st.text(st.sampled_from(list("@#/\\&;<>!?[](){}:.`~*_-| \n\r\tabGHw1 ht\u200b\u202e\x85\u2028é")))
hostile = st.lists(st.sampled_from(HOSTILE) | alphabets | st.text(max_size=10), max_size=6)
texts = st.builds(
    lambda parts, glue: glue.join(parts), hostile, st.sampled_from(["", " ", "\n", "\n\n", "`", "\n```\n"])
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str) -> None:
    check_harmless(safe(text))
    check_harmless(f"Before.\n\n{safe(text)}\n\nAfter.")
    check_harmless(f"**Cause.** {safe_line(text)} more")


@given(texts)
@settings(deadline=None, max_examples=400)
def test_any_text_is_harmless(text: str) -> None:
    check_harmless(safe(text))


@given(texts)
@settings(deadline=None, max_examples=200)
def test_any_text_is_harmless_in_a_line_of_ours(text: str) -> None:
    line = safe_line(text)
    assert "\n" not in line
    check_harmless(line)
    check_harmless(f"- {line}\n\n**Cause.** {line}\n")


@given(texts)
@settings(deadline=None, max_examples=200)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    assert safe(safe(text)) == safe(text)
    assert safe_line(safe_line(text)) == safe_line(text)


@given(texts)
@settings(deadline=None, max_examples=200)
def test_what_follows_is_not_swallowed(text: str) -> None:
    assert "After it." in shown(f"{safe(text)}\n\nAfter it.")


@pytest.mark.parametrize(
    "text",
    [
        "The loss fell from 2.31 to **2.27** (−1.7 %), see `train.py`.",
        "| step | loss |\n| --- | --- |\n| 1 | 2.5 |",
        "- one\n- two\n  - `a[0]` & `b | c`\n\n> quoted\n\n## Heading\n\n1. x < 3 and y > 4",
        "R&D at 5 @ 3: a/b, C# and `#` — 100 %",
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
@example("See https://example.com, @octocat, #12, <eos> and [paper](https://example.com).")
def test_a_reader_sees_every_character(text: str) -> None:
    assert safe_line(text).replace(JOINER, "") == " ".join(text.split())


CODE = """
@torch.no_grad()
def step(x: dict[str, int]) -> None:  # see #12, https://example.com
    layers[0](x)
    return "<eos>", x < y

/report
"""


@pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
def test_code_in_a_fence_stays_as_it_is(fence: str) -> None:
    text = f"Look, @octocat:\n\n{fence}python\n{CODE}{fence}\n\nThat was it, @octocat."
    assert [found.code for found in markdown.fences(safe(text))] == [CODE]
    assert "@octocat" not in safe(text)


def test_what_only_looks_like_a_fence_is_no_code() -> None:
    for text in (
        "`` `\n@octocat\n`` `",
        "    ```\n@octocat\n    ```",
        "> ```\n@octocat\n> ```",
        "x ```\n@octocat\n```",
    ):
        assert "@octocat" not in safe(text)


def test_a_fence_that_was_left_open_is_closed() -> None:
    assert safe("Code:\n```python\nx = 1") == "Code:\n```python\nx = 1\n```"
    assert safe("~~~~\n@octocat\n~~~").endswith("\n~~~~")


def test_a_long_text_takes_no_time_and_does_not_grow_much() -> None:
    text = "@a #1 <b> ![x](//y) `" * 5_000
    assert len(safe(text)) < 2 * len(text)
