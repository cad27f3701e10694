"""What counts as a command in a comment, and what does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands import KNOWN, Command, nearest, parse


def test_a_command_takes_the_rest_of_its_line() -> None:
    assert parse("/revise-plan use a longer context") == (Command("revise-plan", "use a longer context"),)


def test_a_command_takes_the_lines_below() -> None:
    assert parse("Nice!\n\n/revise-plan\n- longer context\n\n- no dropout\n") == (
        Command("revise-plan", "- longer context\n\n- no dropout"),
    )


def test_several_commands_keep_their_order() -> None:
    assert parse("/help\n/revise-plan smaller\nmuch smaller\r\n/report") == (
        Command("help"),
        Command("revise-plan", "smaller\nmuch smaller"),
        Command("report"),
    )


def test_a_fence_may_be_guidance_but_holds_no_command() -> None:
    text = "/retry with this:\n```\n/report\n```"
    assert parse(text) == (Command("retry", "with this:\n```\n/report\n```"),)


@pytest.mark.parametrize("name", [*KNOWN, "retry", "no-such-command", "Revise-Plan", "report.", "revise-plan:"])
def test_any_word_after_a_slash_is_a_command(name: str) -> None:
    assert parse(f"/{name}") == (Command(name.lower().rstrip(".:")),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please /report",
        " /report",
        "    /report",
        "\t/report",
        "/",
        "//report",
        "/ report",
        "/home/x",
        "/usr/bin is a folder",
        "/report/",
        "/report_now",
        "/1",
        "/rapport\u2028",
        "text\u2028/report",
        "text\x0b/report",
        "> /report",
        ">/report",
        "```\n/report\n```",
        "```\n/report",
        "~~~ python\n/report\n```\n/report\n~~~",
        "````\n```\n/report\n````",
        "   ```\n/report\n   ```",
        "> quoted\n> ```\n> /report",
        "<!--\n/report\n-->",
        "<details>\n/report\n</details>",
    ],
)
def test_this_is_no_command(text: str) -> None:
    assert parse(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "> quoted\n/report",
        "> ```\n> an unclosed fence ends with its quote\n/report",
        "```\ncode\n```\n/report",
        "```not a fence: `ticks` in its info\n/report",
        "- ```\n  a fence in a list\n  ```\n\n/report",
        "- an item\n/report",
        "text\r/report",
    ],
)
def test_this_is_one(text: str) -> None:
    assert parse(text) == (Command("report"),)


@pytest.mark.parametrize(
    ("name", "meant"), [("revise-plans", "revise-plan"), ("Repot", "report"), ("helpp", "help"), ("frobnicate", None)]
)
def test_nearest(name: str, meant: str | None) -> None:
    assert nearest(name) == meant


def test_each_known_command_tells_its_usage() -> None:
    assert all(usage.startswith(f"`/{name}") for name, usage in KNOWN.items())


MARKDOWN = st.lists(
    st.sampled_from(
        [
            "/report",
            "/",
            "```",
            "~~~~",
            "> ",
            "- ",
            "1. ",
            "    ",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "<!--",
            "-->",
            "<div>",
            "[a]: ",
            "\0",
        ]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(MARKDOWN)
def test_each_command_stands_in_the_text_as_typed(text: str) -> None:
    for command in parse(text):
        assert f"/{command.name}" in text.lower()
        assert command.guidance == command.guidance.strip()


@settings(deadline=None)
@given(MARKDOWN)
def test_nothing_in_a_fence_is_a_command(text: str) -> None:
    fenced = text.replace("`", "").replace("\r", "\n")
    assert parse(f"```\n{fenced}\n```") == ()


@settings(deadline=None)
@given(MARKDOWN)
def test_nothing_quoted_is_a_command(text: str) -> None:
    assert parse("\n".join("> " + line for line in text.replace("\r", "\n").split("\n"))) == ()


@pytest.mark.parametrize("piece", [">", "- ", "/a\n", "```\n", "[a]: /b\n", "<!--", "* * ", "\n", "1. ", "> - "])
def test_the_longest_comments_are_read_too(piece: str) -> None:
    parse("/report\n" + piece * (65_536 // len(piece)))
