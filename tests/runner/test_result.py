from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.result import (
    MAX_METRICS,
    MAX_REASON,
    Divergence,
    Failure,
    Final,
    Point,
    Result,
    ResultError,
    Status,
    read_line,
    read_metrics,
    tidy,
    write_line,
)

RESULT = Result(
    runner="0.1.0",
    status=Status.FAILED,
    reason="train.py raised ValueError in train.py, line 3: no",
    exit_code=1,
    seconds=2.5,
    metrics={"val_bpb": 2.31, "tokens": 1000.0},
    environment={"gpu": "none", "torch": "2.13.0"},
    error=Failure("ValueError", "no", "train.py", 3),
    request="r-1",
)
NUMBERS = st.floats(allow_nan=False)
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_ .:/@%()+=-]{0,63}", fullmatch=True)
TEXTS = st.text().map(lambda text: tidy(text, limit=100))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def fields(**changes: object) -> str:
    return json.dumps(json.loads(RESULT.to_json()) | changes)


def test_a_result_survives_the_way_through_the_file() -> None:
    assert Result.from_json(RESULT.to_json()) == RESULT


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(NAMES, NUMBERS, max_size=5),
    st.dictionaries(NAMES, TEXTS, max_size=5),
    TEXTS,
    st.none() | st.builds(Failure, TEXTS, TEXTS, TEXTS, st.none() | st.integers(1, 10_000)),
)
def test_any_result_survives(
    metrics: dict[str, float], environment: dict[str, str], reason: str, error: Failure | None
) -> None:
    result = replace(RESULT, metrics=metrics, environment=environment, reason=reason, error=error)
    assert Result.from_json(result.to_json()) == result


def test_numbers_that_are_none_are_written_as_words() -> None:
    result = replace(RESULT, metrics={"a": math.nan, "b": math.inf, "c": -math.inf})
    assert '"nan"' in result.to_json()
    read = Result.from_json(result.to_json()).metrics
    assert math.isnan(read["a"])
    assert (read["b"], read["c"]) == (math.inf, -math.inf)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        (" " * 1_000_000, "longer than"),
        (fields(status="splendid"), "status is none of"),
        (fields(status=None), "status is none of"),
        (fields(version=2), "version is not a whole number from 1 to 1"),
        (fields(version="1"), "version is not of type int"),
        (fields(exit_code=True), "exit_code is not of type int"),
        (fields(exit_code=-3), "exit_code is not a whole number"),
        (fields(seconds="soon"), "seconds is not a number"),
        (fields(seconds="nan"), "seconds is not a number from 0"),
        (fields(seconds=10**400), "seconds is not a number"),
        (fields(metrics={"a": None}), "a metric is not a number"),
        (fields(metrics={"x|y": 1}), "no name for a metric"),
        (fields(metrics={"": 1}), "no name for a metric"),
        (fields(metrics={f"m{n}": 1 for n in range(MAX_METRICS + 1)}), "more than 100 metrics"),
        (fields(metrics=[1]), "metrics is not an object"),
        (fields(environment={"gpu": 3}), "environment holds something that is no text"),
        (fields(environment={"gpu": "x" * 5000}), "environment.gpu is longer"),
        (fields(reason="x" * (MAX_REASON + 1)), "reason is longer than"),
        (fields(reason="\x1b[31mred"), "control characters"),
        (fields(reason="\ud800"), "control characters"),
        (fields(signal="KILL -9"), "signal is no name"),
        (fields(error="boom"), "error is not an object"),
        (fields(error={"type": "E", "message": "m", "file": "f", "line": 0}), "error.line is not"),
        (fields(error={"type": "E", "message": "m"}), "file is missing"),
        ("{}", "status is none of"),
    ],
)
def test_a_wrong_result_is_refused_with_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ResultError, match=complaint):
        Result.from_json(text)


@settings(deadline=None, max_examples=60)
@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_result_or_a_complaint(text: str) -> None:
    with pytest.raises(ResultError):
        Result.from_json(text)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(json.loads(RESULT.to_json()))), JSON)
def test_any_value_in_any_field_is_a_result_or_a_complaint(name: str, value: object) -> None:
    try:
        result = Result.from_json(fields(**{name: value}))
    except ResultError:
        return
    assert Result.from_json(result.to_json()).to_json() == result.to_json()


def test_keys_of_a_later_runner_do_not_matter() -> None:
    assert Result.from_json(fields(colour="blue")) == RESULT


def test_metrics_are_read_line_by_line_past_what_is_wrong() -> None:
    text = "\n".join(
        [
            '{"step": 1, "seconds": 0.5, "loss": 3.0}',
            '{"step": 2, "seconds": 0.',
            "null",
            '{"step": true, "seconds": 1, "loss": 1}',
            '{"step": 2, "seconds": "inf", "loss": 1}',
            '{"step": 3, "seconds": 1, "loss": "nan", "note": "hi", "a|b": 1}',
            '{"diverged": true, "step": 3}',
            '{"final": true, "step": 3, "seconds": 1, "val": 2.0}',
        ]
    )
    first, second = read_metrics(text)
    assert first == Point(1, 0.5, {"loss": 3.0})
    assert (second.step, list(second.values)) == (3, ["loss"])
    assert math.isnan(second.values["loss"])


@pytest.mark.parametrize("line", [Point(1, 2.0, {"loss": math.inf}), Final(9, 3.0, {"val": 1.5}), Divergence(7)])
def test_a_line_survives(line: Point | Final | Divergence) -> None:
    assert read_line(write_line(line)) == line


@settings(deadline=None, max_examples=60)
@given(st.text() | JSON.map(json.dumps))
def test_any_line_is_read_or_passed_over(text: str) -> None:
    read_metrics(text)
