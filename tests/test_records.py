"""Records survive being written and read, refuse what is none, and do their arithmetic."""

import json
import math
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import DocumentError
from bot.models.model import Role
from bot.records import (
    Attempt,
    Call,
    Curve,
    Discarded,
    Metric,
    Rebuilt,
    Record,
    Repair,
    TaskChanges,
    Verdict,
    best,
    by_run,
    from_json,
    judge,
    thin,
    to_json,
    total,
)  # fmt: skip
from runner.result import Failure, Status
from tests.values import METRIC, analysis, attempt, conclusion, proposal, record, result, result_of

HIGHER = Metric(name="accuracy", direction="higher")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.floats() | st.integers(-(10**6), 10**6).map(float)
SHA = st.from_regex(r"[0-9a-f]{40}", fullmatch=True)
COUNT = st.integers(0, 10**12)
PRICE = st.none() | st.decimals(0, 1000, allow_nan=False, allow_infinity=False, places=7)

CALL = st.builds(Call, id=TEXT, role=st.sampled_from(Role), model=TEXT, input=COUNT, output=COUNT, dollars=PRICE)
ATTEMPT = st.builds(
    attempt,
    workflow_run=COUNT,
    reason=TEXT,
    seconds=NUMBER,
    metrics=st.dictionaries(TEXT, NUMBER, max_size=3),
    failure=st.none() | st.fixed_dictionaries({"type": TEXT, "message": TEXT, "line": st.none() | COUNT}),
    environment=st.dictionaries(TEXT, TEXT, max_size=2),
)
CURVE = st.fixed_dictionaries({"name": TEXT, "points": st.lists(st.tuples(NUMBER, NUMBER), max_size=3)})
CONCLUSION = st.builds(
    conclusion,
    verdict=st.sampled_from(Verdict),
    value=st.none() | NUMBER,
    best_before=st.none() | NUMBER,
    curves=st.lists(CURVE, max_size=2),
    summary=TEXT,
    analysis=st.builds(analysis, text=TEXT, tasks=st.builds(TaskChanges, done=st.tuples(TEXT), added=st.tuples(TEXT))),
)
RECORD = st.builds(
    record,
    run=st.from_regex(r"[1-9][0-9]{0,3}[a-z]?", fullmatch=True),
    proposal=st.builds(proposal, hypothesis=TEXT, tasks=st.tuples(TEXT)),
    pull=st.none() | COUNT,
    plan=st.none() | TEXT,
    base=st.none() | SHA,
    rebuilds=st.lists(st.builds(Rebuilt, main=SHA, from_main=st.tuples(TEXT), from_branch=st.tuples()), max_size=1),
    attempts=st.lists(ATTEMPT, max_size=2),
    repairs=st.lists(st.builds(Repair, attempt=TEXT, cause=TEXT, fix=TEXT, inputs=TEXT), max_size=1),
    conclusion=st.none() | CONCLUSION,
    discarded=st.none() | st.builds(Discarded, reason=TEXT),
    calls=st.lists(CALL, max_size=2),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXT | st.sampled_from(["1", "NaN", "inf", "ok"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=6,
)


def changed(**fields: object) -> str:
    """A record of ours, edited by hand."""
    return json.dumps(json.loads(to_json(result_of())) | fields)


def valued(run: str, value: float | None, *, metric: Metric = METRIC, discarded: bool = False) -> Record:
    reason = Discarded(reason="The pull request was closed without merging.") if discarded else None
    return record(run, metric=metric, conclusion=conclusion(value=value), discarded=reason)


# Written and read


@settings(deadline=None, max_examples=60)
@given(RECORD)
def test_a_record_is_read_as_it_was_written(one: Record) -> None:
    text = to_json(one)
    assert repr(from_json(text)) == repr(one)  # NaN is not equal to itself, but it looks like it
    assert to_json(from_json(text)) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1 + 0.2, 3.0])
def test_every_number_survives(value: float) -> None:
    one = record(attempts=[attempt(seconds=value, metrics={"loss": value})], conclusion=conclusion(value=value))
    read = from_json(to_json(one))
    assert [repr(read.attempts[0].seconds), repr(read.attempts[0].metrics["loss"]), repr(read.value)] == [
        repr(value)
    ] * 3
    assert "NaN" not in to_json(one)


def test_a_record_written_before_branches_were_rebuilt_is_read() -> None:
    old = json.loads(to_json(result_of()))
    del old["rebuilds"]
    one = from_json(json.dumps(old))
    assert (one.base, one.rebuilds) == (None, ())


def test_what_there_is_not_is_not_written() -> None:
    assert "null" not in to_json(record())


def test_numbers_may_come_as_people_write_them() -> None:
    text = changed(attempts=[{**attempt().model_dump(), "seconds": 60, "metrics": {"loss": "nan", "acc": "0.5"}}])
    assert str(from_json(text).attempts[0].metrics) == "{'loss': nan, 'acc': 0.5}"


@settings(deadline=None, max_examples=60)
@given(TEXT | JSON.map(json.dumps))
@example("")
@example("{")
@example("[" * 10_000)
@example("\ud800")
@example("9" * 5000)
def test_what_is_no_record_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(DocumentError, match=r"runs/run-1\.json is not a record of ours"):
        from_json(text, path="runs/run-1.json")


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(Record.model_fields)), JSON)
@example("run", "1\n")
@example("run", "1\u0663")
@example("metric", {"name": "a|b", "direction": "lower"})
@example("calls", [{"id": "1", "role": "coder", "model": "m", "dollars": "1e99999999"}])
def test_an_edited_record_is_read_and_written_again_or_refused(field: str, value: object) -> None:
    with suppress(DocumentError):
        text = to_json(from_json(changed(**{field: value})))
        assert to_json(from_json(text)) == text


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"run": "0"}, "run: "),
        ({"run": "1\n"}, "run: "),
        ({"run": "../1"}, "run: "),
        ({"metric": {"name": "loss\n", "direction": "lower"}}, "metric.name: "),
        ({"metric": {"name": "loss", "direction": "sideways"}}, "metric.direction: "),
        ({"surprise": 1}, "surprise: "),
        ({"version": 2}, "version: "),
        ({"base": "../issues/1"}, "base: "),
        ({"rebuilds": [{"main": "main"}]}, "rebuilds.0.main: "),
        ({"calls": [{"id": "1", "role": "coder", "model": "m", "dollars": "-1"}]}, "calls.0.dollars: "),
        ({"calls": [{"id": "1", "role": "coder", "model": "m", "dollars": "1e9999"}]}, "calls.0.dollars: "),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        from_json(changed(**fields))
    assert f": {complaint}" in str(refusal.value)


def test_an_attempt_has_what_the_runner_reports() -> None:
    reported = result(
        Status.FAILED, metrics={"loss": math.nan}, error=Failure("IndexError", "out of range", "train.py", 4)
    )
    found = Attempt.from_result(replace(reported, seconds=3.5), inputs="abc", workflow_run=7, run_attempt=2)
    assert (found.key, found.status, found.seconds, found.inputs) == ("7.2", "failed", 3.5, "abc")
    assert found.failure
    assert (found.failure.type, found.failure.message, found.failure.line) == ("IndexError", "out of range", 4)
    assert math.isnan(found.metrics["loss"])


# Better and worse


def test_the_direction_says_what_is_better() -> None:
    assert METRIC.better(1.0, than=2.0)
    assert not METRIC.better(2.0, than=2.0)
    assert HIGHER.better(2.0, than=1.0)
    assert (METRIC.gain(1.5, over=2.0), HIGHER.gain(1.5, over=2.0)) == (0.5, -0.5)


@pytest.mark.parametrize(
    ("value", "before", "metric", "verdict"),
    [
        (2.0, None, METRIC, Verdict.IMPROVED),
        (1.9, 2.0, METRIC, Verdict.IMPROVED),
        (2.0, 2.0, METRIC, Verdict.NO_GAIN),
        (2.1, 2.0, METRIC, Verdict.NO_GAIN),
        (2.1, 2.0, HIGHER, Verdict.IMPROVED),
        (-1.0, 0.0, METRIC, Verdict.IMPROVED),
        (None, None, METRIC, Verdict.FAILED),
        (None, 2.0, METRIC, Verdict.FAILED),
        (math.nan, 2.0, METRIC, Verdict.FAILED),
        (-math.inf, 2.0, METRIC, Verdict.FAILED),
    ],
)
def test_a_verdict_is_arithmetic(value: float | None, before: float | None, metric: Metric, verdict: Verdict) -> None:
    assert judge(value, best_before=before, metric=metric) is verdict


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.floats(), max_size=6), st.sampled_from(["lower", "higher"]))
def test_nothing_that_counts_is_better_than_the_best(values: list[float | None], direction: str) -> None:
    metric = Metric.model_validate({"name": "loss", "direction": direction})
    records = [valued(str(index + 1), value, metric=metric) for index, value in enumerate(values)]
    found = best(records, metric)
    finite = [value for value in values if value is not None and math.isfinite(value)]
    assert (found.value if found else None) == (min if direction == "lower" else max)(finite, default=None)


def test_of_equals_the_first_run_is_the_best() -> None:
    leader = best([valued("10", 1.0), valued("9", 1.0), valued("11", 1.0)], METRIC)
    assert leader
    assert leader.run == "9"


def test_discarded_runs_and_other_metrics_set_no_bar() -> None:
    records = [valued("1", 3.0), valued("2", 1.0, discarded=True), valued("3", 2.0, metric=HIGHER)]
    assert best(records, METRIC) == records[0]
    assert best(records[1:], METRIC) is None


def test_runs_are_in_the_order_of_their_numbers_then_letters() -> None:
    assert [one.run for one in by_run(map(record, ["10", "2b", "2", "9", "2a"]))] == ["2", "2a", "2b", "9", "10"]


# Curves


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(NUMBER, NUMBER), max_size=60), st.integers(2, 50))
def test_thinned_points_are_few_in_order_and_have_both_ends(points: list[tuple[float, float]], most: int) -> None:
    thinned = thin(points, most=most)
    assert len(thinned) == min(len(points), most)
    assert (thinned[:1], thinned[-1:]) == (tuple(points[:1]), tuple(points[-1:]))
    rest = iter(points)
    assert all(any(point is other for other in rest) for point in thinned)


def test_thinned_points_are_evenly_chosen() -> None:
    points = [(float(step), 0.0) for step in range(101)]
    assert [step for step, _ in thin(points, most=5)] == [0, 25, 50, 75, 100]


# Attempts, repairs and costs


def test_the_first_training_of_inputs_counts_and_later_ones_are_repeats() -> None:
    first, again = attempt(inputs="a"), attempt(inputs="a", run_attempt=2, status="timeout")
    one = record(attempts=[first, again], conclusion=conclusion(attempt=first.key))
    assert one.attempt_of("a") == first
    assert one.attempt(again.key) == again
    assert one.decisive == first
    assert (one.concluded("a"), one.concluded("b")) == (True, False)


def test_without_a_result_the_newest_attempt_is_what_there_is_to_tell() -> None:
    first, second = attempt(), attempt(workflow_run=72)
    assert record(attempts=[first, second]).decisive == second
    assert record().decisive is None


def test_a_conclusion_of_an_attempt_that_is_gone_is_none_of_these_inputs() -> None:
    one = record(attempts=[attempt()], conclusion=conclusion(attempt="99.1"))
    assert not one.concluded(one.inputs)
    assert one.decisive == one.attempts[0]


def crashes(*inputs: str) -> list[Attempt]:
    return [attempt(workflow_run=number, inputs=name, status="failed") for number, name in enumerate(inputs, 1)]


def repairs(*pairs: tuple[str, str]) -> list[Repair]:
    return [Repair(attempt=key, cause="It broke.", fix="Mended.", inputs=inputs) for key, inputs in pairs]


@pytest.mark.parametrize(
    ("attempts", "mended", "count"),
    [
        ([], [], 0),
        (["born"], [], 0),
        (["born"], [("1.1", "b")], 1),
        (["born", "b", "c"], [("1.1", "b"), ("2.1", "c")], 2),
        (["born", "b", "c", "human"], [("1.1", "b"), ("2.1", "c")], 0),
        (["born", "b", "human", "d"], [("1.1", "b"), ("3.1", "d")], 1),
        (["human", "b", "other human"], [("1.1", "b")], 0),
        (["human", "b", "c"], [("1.1", "b"), ("2.1", "c")], 2),
    ],
)
def test_repairs_are_counted_since_the_last_inputs_of_a_person(
    attempts: list[str], mended: list[tuple[str, str]], count: int
) -> None:
    one = record(inputs="born", attempts=crashes(*attempts), repairs=repairs(*mended))
    assert one.repairs_in_a_row() == count


def call(name: str, dollars: str | None) -> Call:
    return Call(id=name, role=Role.CODER, model="m", dollars=Decimal(dollars) if dollars else None)


def test_each_call_is_booked_once() -> None:
    one = record().with_calls([call("a", "0.1"), call("b", "0.2")]).with_calls([call("b", "0.2"), call("c", "0.3")])
    assert [booked.id for booked in one.calls] == ["a", "b", "c"]
    assert one.dollars == Decimal("0.6")


def test_a_sum_with_an_unknown_price_is_unknown() -> None:
    assert total([call("a", "0.1"), call("b", None)]) is None
    assert total([]) == 0


def test_training_time_is_that_of_all_attempts() -> None:
    assert record(attempts=[attempt(seconds=90), attempt(seconds=30)]).gpu_minutes == 2


def test_a_run_s_number_is_without_its_letter() -> None:
    assert (record("12b").number, record("12b").value, result_of().value) == (12, None, 2.0)


def test_a_point_of_a_curve_takes_one_line() -> None:
    curve = Curve(name="loss", points=((0.0, 1.5), (10.0, float("nan"))))
    conclusion = result_of("1").conclusion
    assert conclusion
    told = result_of("1").model_copy(update={"conclusion": conclusion.model_copy(update={"curves": (curve,)})})
    text = to_json(told)
    assert "[0.0, 1.5]" in text
    assert '[10.0, "nan"]' in text
    read = from_json(text)
    assert read.conclusion
    assert str(read.conclusion.curves) == str((curve,))
