"""Structure is read as GitHub shows it, whatever the text; and what is cut or replaced leaves the rest alone."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot import markdown
from bot.markdown import Fence, Item
from tests.hostile import LINE, TEXT

LOG = """# Log

## Runs

A table.

```markdown
## Not a section
```

### Notes

> ## Nor this

## Run 1: it *fits* `LR`

Text.
"""


def titles(text: str) -> list[str]:
    return [found.title for found in markdown.sections(text)]


def cells(table: str) -> list[list[str]]:
    """The table as a reader of Markdown sees it, row by row."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(table):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


# Sections


def test_headings_in_fences_and_quotes_are_no_sections() -> None:
    assert titles(LOG) == ["Log", "Runs", "Notes", "Run 1: it fits LR"]


def test_a_section_ends_at_the_next_heading_that_is_as_high() -> None:
    found = markdown.section(LOG, "runs")
    assert found
    assert markdown.body(LOG, found).endswith("> ## Nor this")


@pytest.mark.parametrize(
    "heading", ["## Key findings", "# **Key findings:**", "Key findings\n===", "Key\nfindings\n---"]
)
def test_a_section_is_found_however_its_heading_is_written(heading: str) -> None:
    text = f"Before.\n\n{heading}\n\nThe body.\n"
    found = markdown.section(text, "key findings")
    assert found
    assert markdown.body(text, found) == "The body."


def test_a_missing_section_is_none() -> None:
    assert markdown.section(LOG, "Run 2") is None
    assert markdown.section("", "Run 2") is None


@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_line_ends_of_markdown_end_a_line(odd: str) -> None:
    text = f"## One\n\na{odd}b\n\n## Two\n\nbody\n"
    found = markdown.section(text, "Two")
    assert found
    assert markdown.body(text, found) == "body"


@settings(deadline=None, max_examples=60)
@given(TEXT)
def test_lines_put_together_are_the_text(text: str) -> None:
    assert "".join(markdown.lines(text)) == text


@settings(deadline=None, max_examples=60)
@given(TEXT)
def test_the_lines_of_a_section_begin_with_its_heading(text: str) -> None:
    for found in markdown.sections(text):
        assert 0 <= found.start < found.body <= found.end <= len(markdown.lines(text))
        heading = "".join(markdown.lines(text)[found.start : found.body])
        assert titles(heading) == [found.title]


@settings(deadline=None, max_examples=60)
@given(TEXT, st.integers(0, 5))
def test_replacing_a_section_leaves_every_line_around_it(text: str, index: int) -> None:
    found = markdown.sections(text)
    if index < len(found):
        lines = markdown.lines(text)
        changed = markdown.replace(text, found[index], "## New\n\nContent.\n")
        assert changed.startswith("".join(lines[: found[index].start]) + "## New\n\nContent.\n")
        assert changed.endswith("".join(lines[found[index].end :]).lstrip(" "))


def test_a_replaced_section_has_an_empty_line_before_the_next() -> None:
    found = markdown.section(LOG, "Runs")
    assert found
    assert "## Runs\n\nNew.\n\n## Run 1" in markdown.replace(LOG, found, "## Runs\n\nNew.\n\n\n")


@pytest.mark.parametrize("heading", ["  ## Two", "   Two\n  ---"])
@pytest.mark.parametrize("content", ["## One\n\n- A list.", ""])
def test_the_next_section_stays_one_after_a_list_or_a_line(heading: str, content: str) -> None:
    text = f"Above.\n## One\n\nText.\n\n{heading}\n\nBody.\n"
    found = markdown.section(text, "One")
    assert found
    changed = markdown.replace(text, found, content)
    assert titles(changed)[-1] == "Two"
    assert "Above.\n" in changed


def test_a_section_replaced_by_nothing_is_gone() -> None:
    found = markdown.section(LOG, "Run 1: it fits LR")
    assert found
    assert titles(markdown.replace(LOG, found, "")) == ["Log", "Runs", "Notes"]


@settings(deadline=None, max_examples=60)
@given(TEXT)
@example("```\n<!--")
@example("- a\n\n  ```")
@example("<!--\n```")
def test_what_follows_a_closed_text_is_seen(text: str) -> None:
    closed = markdown.closed(text)
    assert closed.startswith(text.rstrip())
    assert titles(f"{closed}\n\n## The next") == [*titles(closed), "The next"]
    assert markdown.closed(closed) == closed


def test_a_text_with_nothing_open_is_closed_as_it_is() -> None:
    assert markdown.closed(LOG) == LOG


# Lists


def test_entries_are_read_with_their_boxes() -> None:
    text = "# Tasks\n\n- [ ] Fit *it*\n  on two lines\n- [x] Done\n  * [X] below\n\n1. A number\n"
    assert markdown.items(text) == (
        Item("Fit *it* on two lines", False, 2, 4),
        Item("Done", True, 4, 5),
        Item("below", True, 5, 6),
        Item("A number", None, 7, 8),
    )


@pytest.mark.parametrize("text", ["", "No list.", "-", "- ```\n  - [ ] code\n  ```", "```\n- [ ] code\n```"])
def test_where_there_is_no_entry_there_is_none(text: str) -> None:
    assert markdown.items(text) == ()


def test_a_box_may_stand_in_the_line_below_its_bullet() -> None:
    assert markdown.items("-\n  [ ] Fit it") == (Item("Fit it", False, 0, 2),)


@settings(deadline=None, max_examples=60)
@given(TEXT)
def test_entries_stand_where_they_say_one_after_the_other(text: str) -> None:
    last = 0
    for item in markdown.items(text):
        assert last <= item.line < item.end <= len(markdown.lines(text))
        assert item.text == " ".join(item.text.split()) != ""
        last = item.end


# Fences


def test_fences_are_read_with_their_language() -> None:
    text = "```Python title=x\na = 1\n```\n\n- ~~~\n  b\n  ~~~\n"
    assert markdown.fences(text) == (Fence("python", "a = 1\n"), Fence("", "b\n"))


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("`~ab\n "), max_size=40))
@example("````\n```\n")
def test_nothing_inside_closes_a_fence(text: str) -> None:
    assert markdown.fences(markdown.fenced(text, "text")) == (Fence("text", f"{text.rstrip()}\n"),)


# Words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Key findings", "**key  findings:**", True),
        ("Try `lr=0.1`", "try lr = 0.1", True),
        ("Straße", "STRASSE", True),
        ("Try A", "Try B", False),
        ("Try A", "Try", False),
        ("🎉", "", False),
        ("🎉", "🚀", False),
        ("🎉  🚀", "🎉 🚀", True),
    ],
)
def test_headings_and_tasks_are_the_same_but_for_case_and_punctuation(one: str, other: str, same: bool) -> None:
    assert markdown.same(one, other) is same


@settings(deadline=None, max_examples=60)
@given(LINE)
def test_a_text_is_the_same_as_itself(text: str) -> None:
    assert markdown.same(text, text)
    assert markdown.same(f" {text}\n", text)


# What is written


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(LINE, LINE), min_size=1, max_size=4))
@example([("a | b", "\\"), ("`a|b`", "c\\|d"), ("a\nb", "\u2028")])
def test_no_text_leaves_its_cell(rows: list[tuple[str, str]]) -> None:
    table = markdown.table(("One", "Other"), [(markdown.cell(one), markdown.cell(other)) for one, other in rows])
    assert [len(row) for row in cells(table)] == [2] * (1 + len(rows))


def test_a_cell_reads_as_the_text_in_one_line() -> None:
    table = markdown.table(("Change",), [(markdown.cell("a | b\nC:\\new"),)])
    assert cells(table) == [["Change"], ["a | b C:\\new"]]


def test_a_quote_has_every_line() -> None:
    assert markdown.quote("a\n\nb") == "> a\n>\n> b"
