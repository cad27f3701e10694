"""Numbers as people read them, and tables that no text breaks."""

import math
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.facts import (
    attempt_facts,
    cost_table,
    course,
    first_sentence,
    machine,
    runs_table,
    show,
    show_change,
    show_dollars,
    show_seconds,
)  # fmt: skip
from bot.markdown import items
from bot.models.model import Role
from bot.records import Call, Curve, Discarded, Verdict
from bot.sanitise import safe_line
from tests.hostile import TEXT
from tests.values import METRIC, attempt, conclusion, proposal, record, result_of


def rows(table: str) -> list[list[str]]:
    return [[part.strip() for part in line.strip("|").split(" | ")] for line in table.splitlines()]


# Numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2.0, "2"),
        (0.0, "0"),
        (-0.0, "0"),
        (1_234_567.0, "1,234,567"),
        (2.30259, "2.3026"),
        (-0.5, "-0.5000"),
        (0.0012345678, "0.001235"),
        (3e-5, "3e-05"),
        (12345.678, "1.235e+04"),
        (1e300, "1e+300"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_a_number_has_as_many_digits_as_it_needs(value: float, shown: str) -> None:
    assert show(value) == shown


@settings(deadline=None, max_examples=60)
@given(st.floats(-1e300, 1e300) | st.floats(-2, 2) | st.sampled_from([math.nan, math.inf, -math.inf]))
def test_every_number_is_shown_near_to_what_it_is(value: float) -> None:
    shown = float(show(value).replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.006) or (math.isnan(shown) and math.isnan(value))


@pytest.mark.parametrize(
    ("value", "before", "shown"),
    [
        (1.5, None, "–"),
        (1.5, 2.0, "−0.5000"),
        (2.0, 1.5, "+0.5000"),
        (1.0, 2.0, "−1"),
        (2.0, 2.0, "0"),
        (3.0e-5, 3.1e-5, "−1e-06"),
    ],
)
def test_a_change_has_its_sign_and_never_looks_like_none(value: float, before: float | None, shown: str) -> None:
    assert show_change(value, before) == shown


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [(None, "unknown"), ("0", "$0"), ("0.00421", "$0.0042"), ("1", "$1.00"), ("12.345", "$12.34")],
)
def test_dollars(dollars: str | None, shown: str) -> None:
    assert show_dollars(None if dollars is None else Decimal(dollars)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0 s"), (89.0, "89 s"), (90.0, "1.5 min"), (5399.0, "90.0 min"), (9000.0, "2.5 h")]
)
def test_seconds(seconds: float, shown: str) -> None:
    assert show_seconds(seconds) == shown


# Sentences


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Lower `LR`. Then train longer.", "Lower `LR`."),
        ("Does it\nhelp? `LR` says so.", "Does it help?"),
        ("From 0.1 to 0.2. (More follows.)", "From 0.1 to 0.2."),
        ("Use a schedule, e.g. `cosine`, i.e. `cos`. Then stop.", "Use a schedule, e.g. `cosine`, i.e. `cos`."),
        ("AdamW vs. `Lion`, cf. Table 2. Next.", "AdamW vs. `Lion`, cf. Table 2."),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_the_first_sentence(text: str, first: str) -> None:
    assert first_sentence(text) == first


def test_a_long_sentence_ends_at_a_word() -> None:
    assert first_sentence("lower the learning rate", most=15) == "lower the…"


@settings(deadline=None, max_examples=60)
@given(TEXT | st.text(), st.integers(2, 200))
def test_a_first_sentence_is_one_short_line(text: str, most: int) -> None:
    found = first_sentence(text, most=most)
    assert len(found) <= most
    assert found == " ".join(found.split())
    assert " ".join(text.split()).startswith(found.removesuffix("…"))


# Tables and lists


def test_runs_are_a_table() -> None:
    first = result_of("1", attempts=[attempt(seconds=90, metrics={"loss": 2.0})])
    second = result_of(
        "2",
        conclusion=conclusion(attempt="72.1", value=2.25, best_before=2.0, verdict=Verdict.NO_GAIN),
        discarded=Discarded(reason="Closed."),
        calls=[Call(id="a", role=Role.CODER, model="m")],
    )
    assert rows(runs_table([first, second, record("3")], METRIC)) == [
        ["Run", "PR", "Change", "`loss`", "Δ to best", "Verdict", "Training", "Cost"],
        ["---"] * 8,
        ["1", "#11", "`LR`: 1 → 2.", "2", "–", "improved", "1.5 min", "$0"],
        ["2", "#12", "`LR`: 1 → 2.", "2.2500", "+0.2500", "no gain, discarded", "60 s", "unknown"],
        ["3", "–", "`LR`: 1 → 2.", "–", "–", "no result", "0 s", "$0"],
    ]


def test_a_verdict_says_how_its_own_training_ended_whatever_repeats_did() -> None:
    ended = attempt(status="timeout")
    repeat = attempt(workflow_run=99, status="hung")
    failed = conclusion(attempt=ended.key, value=None, verdict=Verdict.FAILED)
    assert "| failed (timeout) |" in runs_table([record(attempts=[ended, repeat], conclusion=failed)], METRIC)
    good = record(attempts=[attempt(), repeat], conclusion=conclusion())
    assert "| improved |" in runs_table([good], METRIC)


@settings(deadline=None, max_examples=60)
@given(TEXT, TEXT, st.sampled_from([str, safe_line]))
@example("a | b \\", "ok | no", str)
def test_no_word_of_a_record_breaks_the_table(change: str, status: str, clean: type[str]) -> None:
    one = result_of(proposal=proposal(change=change), attempts=[attempt(status=status)])
    tokens = MarkdownIt("commonmark").enable("table").parse(runs_table([one, one], METRIC, clean=clean))
    assert [token.type for token in tokens].count("tr_open") == 3
    assert [token.type for token in tokens].count("td_open") == 16


def test_words_that_are_made_safe_stay_safe_in_a_table() -> None:
    one = record(proposal=proposal(change="![spy](https://example.com/x.png) @ada"))
    html = MarkdownIt("commonmark").enable("table").render(runs_table([one], METRIC, clean=safe_line))
    assert "<img" not in html
    assert "@ada" not in html


def test_facts_of_an_attempt_are_a_list_with_the_primary_metric_first() -> None:
    one = attempt(
        status="failed",
        reason="IndexError\nin line 4.",
        metrics={"tokens": 1000.0, "loss": 2.5},
        failure={"type": "IndexError", "message": "out of\n\n## Runs\nrange", "line": 4},
    )
    curve = Curve(name="loss", points=((0, 3.0), (10, 2.5)))
    assert attempt_facts(one, METRIC, [curve, Curve(name="lr", points=((0, 1.0),))]).splitlines() == [
        "- Status: failed. IndexError in line 4.",
        "- Time: 60 s",
        "- `loss`: 2.5000",
        "- `tokens`: 1,000",
        "- Error: IndexError: out of ## Runs range (line 4 of train.py)",
        "- Course of `loss`: 3 at step 0 → 2.5000 at step 10",
    ]


@settings(deadline=None, max_examples=60)
@given(TEXT, TEXT, TEXT)
def test_whatever_a_training_says_stays_in_its_line_of_the_facts(reason: str, kind: str, message: str) -> None:
    one = attempt(reason=reason, metrics={}, failure={"type": kind, "message": message})
    facts = attempt_facts(one, METRIC)
    assert len(facts.split("\n")) == len(items(facts)) == 4
    assert "- `loss`: not reported" in facts


def test_a_course_has_start_quarters_and_end() -> None:
    curve = Curve(name="loss", points=tuple((step, float(9 - step)) for step in range(9)))
    assert course(curve) == "9 at step 0 → 7 at step 2 → 5 at step 4 → 3 at step 6 → 1 at step 8"


def test_the_machine_is_what_the_newest_training_said() -> None:
    old = record("2", attempts=[attempt(environment={"gpu": "old"})])
    new = record("10", attempts=[attempt(environment={"torch": "2.13", "gpu": "H200"}), attempt()])
    assert machine([old, new, record("11")]) == "gpu H200, torch 2.13"
    assert machine([record()]) == "not known before the first training"


def test_costs_are_by_role() -> None:
    calls = [
        Call(id="1", role=Role.CODER, model="acme/a", input=1000, output=5, dollars=Decimal("0.5")),
        Call(id="2", role=Role.ANALYST, model="acme/b"),
        Call(id="3", role=Role.CODER, model="acme/c", input=234, output=5, dollars=Decimal("0.75")),
    ]
    assert rows(cost_table(calls))[2:] == [
        ["coder", "`acme/a`, `acme/c`", "2", "1,234", "10", "$1.25"],
        ["analyst", "`acme/b`", "1", "0", "0", "unknown"],
    ]
