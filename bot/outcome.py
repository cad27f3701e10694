"""From a training's numbers to an outcome, by arithmetic. Pure."""

import math
from collections.abc import Mapping, Sequence

from bot.plots import Bar
from bot.records import Attempt, Curve, Metric, Outcome, Record, judge, thin
from runner.result import Point, Status

MAX_CURVES = 8


def outcome_of(record: Record, attempt: Attempt, points: Sequence[Point], *, best_before: float | None) -> Outcome:
    """Only a training that ended well has a value: what a broken one last said is no result."""
    reported = attempt.metrics.get(record.metric.name) if attempt.status == Status.OK else None
    value = reported if reported is not None and math.isfinite(reported) else None
    return Outcome(
        attempt=attempt.key,
        verdict=judge(value, best_before=best_before, metric=record.metric),
        value=value,
        best_before=best_before,
        curves=curves(points, record.metric),
    )


def curves(points: Sequence[Point], metric: Metric) -> tuple[Curve, ...]:
    """The course of each logged metric, thinned: the primary one first, then losses, then the rest as they came."""
    found: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        for name, value in point.values.items():
            found.setdefault(name, []).append((float(point.step), value))
    names = sorted(found, key=lambda name: (name != metric.name, "loss" not in name))
    return tuple(Curve(name=name, points=thin(found[name])) for name in names[:MAX_CURVES])


def lines(outcome: Outcome) -> Mapping[str, Sequence[tuple[float, float]]]:
    """The curves as a plot takes them."""
    return {curve.name: curve.points for curve in outcome.curves}


def bars(records: Sequence[Record]) -> list[Bar]:
    """One bar a concluded run, for the plot of progress."""
    return [Bar(record.run, record.value, record.conclusion.verdict.value) for record in records if record.conclusion]
