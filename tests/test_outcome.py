"""A training's numbers become a verdict, curves and bars by arithmetic."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.outcome import MAX_CURVES, bars, curves, lines, outcome_of
from bot.plots import Bar
from bot.records import MAX_POINTS, Verdict
from runner.result import Point
from tests.values import METRIC, attempt, conclusion, record, result_of

VALUES = st.dictionaries(st.sampled_from(["loss", "lr", "val_loss", *map(str, range(9))]), st.floats(), min_size=1)
POINTS = st.lists(st.builds(Point, st.integers(-(2**53), 2**53), st.just(0.0), VALUES), max_size=30)


def logged(steps: int, **values: float) -> list[Point]:
    return [Point(step, float(step), values) for step in range(steps)]


def test_the_primary_metric_is_judged_against_the_best_before() -> None:
    outcome = outcome_of(record(), attempt(metrics={"loss": 1.5, "other": 9.0}), [], best_before=2.0)
    assert (outcome.attempt, outcome.verdict) == ("71.1", Verdict.IMPROVED)
    assert (outcome.value, outcome.best_before) == (1.5, 2.0)


@pytest.mark.parametrize("status", ["failed", "timeout", "diverged", "out-of-memory", "hung", "cancelled"])
def test_only_a_training_that_ended_well_has_a_value(status: str) -> None:
    outcome = outcome_of(record(), attempt(status=status, metrics={"loss": 1.5}), [], best_before=2.0)
    assert (outcome.value, outcome.verdict) == (None, Verdict.FAILED)


@pytest.mark.parametrize("metrics", [{}, {"val_loss": 1.0}, {"loss": math.nan}, {"loss": -math.inf}])
def test_without_a_finite_primary_metric_a_run_has_failed(metrics: dict[str, float]) -> None:
    outcome = outcome_of(record(), attempt(metrics=metrics), [], best_before=None)
    assert (outcome.value, outcome.verdict) == (None, Verdict.FAILED)


def test_the_primary_metric_comes_first_then_losses_then_the_rest() -> None:
    points = logged(2, lr=0.1, train_loss=3.0, loss=2.0, grad=1.0)
    assert [curve.name for curve in curves(points, METRIC)] == ["loss", "train_loss", "lr", "grad"]


def test_a_metric_logged_now_and_then_has_its_own_steps() -> None:
    points = [Point(0, 0.0, {"lr": 1.0}), Point(5, 1.0, {"loss": 2.0, "lr": 0.5})]
    assert lines(outcome_of(record(), attempt(), points, best_before=None)) == {
        "loss": ((5.0, 2.0),),
        "lr": ((0.0, 1.0), (5.0, 0.5)),
    }


def test_a_long_training_is_thinned() -> None:
    [curve] = curves(logged(10 * MAX_POINTS, loss=1.0), METRIC)
    assert len(curve.points) == MAX_POINTS
    assert curve.points[-1][0] == 10 * MAX_POINTS - 1


@settings(deadline=None, max_examples=60)
@given(POINTS)
def test_whatever_was_logged_has_an_outcome_of_bounded_size(points: list[Point]) -> None:
    outcome = outcome_of(record(), attempt(), points, best_before=None)
    assert len(outcome.curves) == min(MAX_CURVES, len({name for point in points for name in point.values}))
    assert sum(len(curve.points) for curve in outcome.curves) <= sum(len(point.values) for point in points)


def test_every_concluded_run_has_a_bar() -> None:
    failed = record("3", conclusion=conclusion(value=None, verdict=Verdict.FAILED))
    assert bars([result_of("1"), record("2"), failed]) == [Bar("1", 2.0, "improved"), Bar("3", None, "failed")]
