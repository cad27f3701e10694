"""Markdown on the pages: what GitHub shows is shown, and whatever is hostile in it is harmless."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.local.pages.highlight import highlight, highlighted_lines
from bot.local.pages.markup import comment_place, file_place, render
from bot.local.pages.sanitise import EMPTY_TAGS, PLAIN_TAGS, Base, image_source, link_target

COMMENT = comment_place("/you/lab", people=frozenset({"you"}), last_number=12)
SHA = "0123456789abcdef0123456789abcdef01234567"


def shown(text: str) -> str:
    return str(render(text, COMMENT))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("| a | b |\n|---|--:|\n| 1 | 2 |", '<td align="right">2</td>'),
        ("- [x] done\n- [ ] open", '<li class="task"><input type="checkbox" disabled checked> done</li>'),
        ("- [ ] open", '<li class="task"><input type="checkbox" disabled> open</li>'),
        ("~~gone~~", "<s>gone</s>"),
        ("one\ntwo", "one<br>"),
        ("see https://example.org/a_b(c).", '<a href="https://example.org/a_b(c)" rel="nofollow noopener">'),
        ("(https://example.org)", "https://example.org</a>)"),
        ("as in #12", '<a href="/you/lab/issues/12" rel="nofollow noopener">#12</a>'),
        ("thanks @you!", '<a class="mention" href="/you/lab/issues?author=you"'),
        (f"at {SHA}", f'href="/you/lab/commit/{SHA}"'),
        ("<details><summary>More</summary>\n\n**x**\n\n</details>", "<details><summary>More</summary>"),
        ("<details><summary>More</summary>\n\n**x**\n\n</details>", "<strong>x</strong>"),
        ("H<sub>2</sub>O <kbd>Ctrl</kbd>", "H<sub>2</sub>O <kbd>Ctrl</kbd>"),
        ("> [!WARNING]\n> hot", '<blockquote class="alert alert-warning">'),
        ("```python\nreturn 1\n```", '<span class="hl-k">return</span> <span class="hl-n">1</span>'),
        ("# Runs and *more*", '<h1 id="user-content-runs-and-more">'),
        ("[there](#runs)", 'href="#user-content-runs"'),
        ("![p](../blob/abc/plots/run-1.png?raw=true)", '<img src="/you/lab/blob/abc/plots/run-1.png?raw=true" alt="p"'),
    ],
)
def test_what_github_shows(text: str, expected: str) -> None:
    assert expected in shown(text)


@pytest.mark.parametrize("text", ["#13", "issue#12", "@nobody", "me@you.org", "`#12`", "[#12](https://example.org)"])
def test_what_is_no_link(text: str) -> None:
    assert "/you/lab/" not in shown(text)


def test_comments_are_hidden() -> None:
    assert "mark" not in shown("<!-- trainwright:mark run=1 -->\ntext <!-- mark --> more")


def test_a_remote_image_becomes_a_link() -> None:
    html = shown("![loss](https://example.org/loss.png)")
    assert "<img" not in html
    assert '<a href="https://example.org/loss.png" rel="nofollow noopener">loss</a>' in html


def test_links_of_a_file_start_in_its_folder() -> None:
    place = file_place("/you/lab", "main", "experiments/1-x/PLAN.md")
    html = str(render("[tasks](TASKS.md) ![p](plots/a.png) [up](../../README.md)\nnext line", place))
    assert 'href="/you/lab/blob/main/experiments/1-x/TASKS.md"' in html
    assert 'src="/you/lab/blob/main/experiments/1-x/plots/a.png?raw=true"' in html
    assert 'href="/you/lab/blob/main/README.md"' in html
    assert "<br>" not in html


VECTORS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='x' onerror='alert(1)'//",
    "<svg onload=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='javascript:alert(1)'></object><embed src=x>",
    "<form action='/-/user' method=post><button name=login value=x>press</button></form>",
    "<input type=image src=x onerror=alert(1)><input type=text autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)><summary onclick=alert(1)>x</summary></details>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt&colon;alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='&#1;javascript:alert(1)'>x</a>",
    "<a href='vbscript:x'>x</a><a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "[x](javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "![x](javascript:alert(1))",
    "![x](//evil.example/x.png)",
    "![x](/\\evil.example/x.png)",
    '![x](a.png "onerror=alert(1)")',
    '[x](https://example.org/"onmouseover="alert(1))',
    'https://example.org/"onmouseover="alert(1)',
    "<div style='position:fixed;inset:0'>over all</div><style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<h1 id=merge-box class='button primary' name=location>x</h1>",
    "<textarea></div><script>alert(1)</script>",
    "<title><img src=x onerror=alert(1)></title><noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><script>alert(1)</script>-->",
    "<!-- --!><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<![x](javascript:alert(1))",
    "<![if x]><script>alert(1)</script><![endif]>",
    "<!DOCTYPE html [<!ENTITY x 'y'>]><!ELEMENT x>",
    "<?php <script>alert(1)</script> ?>",
    "<div title='\n\n<script>alert(1)</script>\n\n'>",
    "</div></article></main><script>alert(1)</script>",
    "<a href='x' <b onclick=alert(1)>x",
    "<p/onclick=alert(1)>x",
    "<p\x0conclick=alert(1)>x",
    "```<script>\nalert(1)\n```",
    "`<script>alert(1)</script>`",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "- [ ] <img src=x onerror=alert(1)>",
    "> [!NOTE]\n> <script>alert(1)</script>",
    "@you<script>alert(1)</script> #1<script>alert(1)</script>",
    "<td rowspan=99999999><ol start='1\" onclick=x'><li>",
]

ATTRIBUTES = {
    *("href", "rel", "title", "class", "src", "alt", "loading", "width", "height", "align", "open", "start"),
    *("colspan", "rowspan", "type", "disabled", "checked", "id"),
}


class Inspector(HTMLParser):
    """Reads the page's part as a browser would, and stops at the first thing that could do harm."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in PLAIN_TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            if name == "id":
                assert (value or "").startswith("user-content-")
            if name == "href":
                assert (value or "").startswith(("https://", "http://", "mailto:", "/", "#user-content-"))
            if name == "src":
                assert (value or "").startswith("/")
                assert not (value or "").startswith(("//", "/\\"))
        if tag == "input":
            assert dict(attrs)["type"] == "checkbox"
            assert "disabled" in dict(attrs)
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def assert_harmless(html: str) -> None:
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()
    assert inspector.open == [], "what a comment opens it also closes"


@pytest.mark.parametrize("text", VECTORS)
def test_hostile_markdown_is_harmless(text: str) -> None:
    assert_harmless(shown(text))
    assert_harmless(shown(f"a {text} b"))
    assert_harmless(shown(f"<div>\n{text}\n</div>\n\n- {text}\n\n> {text}"))


PIECES = st.sampled_from(
    [
        *VECTORS,
        *"<>\"'`&;/\\=:#@![]()|*_~ \n\t\0",
        "<a href=",
        "<p ",
        "<div>",
        "</div>",
        "<!--",
        "-->",
        "javascript:",
        "&#x6A;",
    ]
)


@given(st.lists(PIECES | st.text(max_size=6), max_size=12).map("".join))
def test_any_markdown_is_harmless(text: str) -> None:
    assert_harmless(shown(text))
    assert_harmless(str(render(text, file_place("/you/lab", "main", "a/b.md"))))


@pytest.mark.parametrize("url", ["javascript:x", " java\nscript:x", "\x01javascript:x", "data:x", "file:///etc/passwd"])
def test_schemes_that_are_not_followed(url: str) -> None:
    assert link_target(url, Base("/you/lab/")) is None


@pytest.mark.parametrize("url", ["https://example.org/x.png", "//example.org/x.png", "\\\\example.org/x.png", "http:x"])
def test_images_come_from_here_only(url: str) -> None:
    assert image_source(url, Base("/you/lab/")) is None


@pytest.mark.parametrize("piece", ["<div\n", "<!--", "<![", "<?", "</a", "<a b='", "[", "![", "*a ", "&#", "> ", "|a"])
@pytest.mark.parametrize("end", ["", "\n\n<b>x</b>"])
def test_no_text_takes_long(piece: str, end: str) -> None:
    """Python's parser would take half a minute over some of these; the suite's time limit would tell."""
    assert_harmless(shown(piece * (20_000 // len(piece)) + end))


def test_a_very_long_text_is_shown_as_it_is() -> None:
    assert shown("<b>" * 200_000).startswith("<pre>&lt;b&gt;")


@given(st.text(), st.sampled_from(["python", "yaml", "diff", "text"]))
def test_highlighting_changes_no_character(code: str, language: str) -> None:
    class Text(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.said = ""

        def handle_data(self, data: str) -> None:
            self.said += data

    reader = Text()
    reader.feed(highlight(code, language))
    reader.close()
    assert reader.said == code


def test_a_string_over_lines_is_coloured_on_each() -> None:
    lines = highlighted_lines('x = """a\n\nb"""\n', "py")
    assert lines == ['x = <span class="hl-s">"""a</span>', "", '<span class="hl-s">b"""</span>']
