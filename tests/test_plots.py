"""Plots: the same bytes for the same numbers, and no number or text that stops them."""

import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.plots import Bar, draw_progress, draw_run

CURVES = {
    "loss": [(step, 5.5 - step / 50) for step in range(0, 100, 10)],
    "val_bpb": [(0, 8.0), (50, 3.5), (90, 2.4)],
    "lr": [(step, 1e-3) for step in range(0, 100, 10)],
}
RUNS = [Bar("1", 2.41, "improved"), Bar("2", 2.44, "no gain"), Bar("3", None, "failed"), Bar("4a", 2.3, "improved")]


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_a_run_is_drawn_twice_as_wide_as_high_and_not_too_large() -> None:
    png = draw_run(CURVES, metric="val_bpb", title="Run 3: a longer context")
    assert size(png) == (1200, 600)
    assert len(png) < 200_000


def test_the_same_numbers_give_the_same_bytes() -> None:
    def draw() -> list[bytes]:
        run = draw_run(CURVES, metric="val_bpb", title="Run 3")
        return [run, draw_progress(RUNS, metric="val_bpb", lower_is_better=True)]

    assert draw() == draw()
    assert not any(word in png for png in draw() for word in (b"Software", b"date:", b"tIME"))


def test_everything_told_is_seen() -> None:
    """Changing any one thing changes the picture."""
    plots = [
        draw_run(CURVES, metric="val_bpb", title="Run 3"),
        draw_run(CURVES, metric="val_bpb", title="Run 4"),
        draw_run(CURVES, metric="loss", title="Run 3"),
        draw_run({name: CURVES[name] for name in ("loss", "val_bpb")}, metric="val_bpb", title="Run 3"),
        draw_progress(RUNS, metric="val_bpb", lower_is_better=True),
        draw_progress(RUNS, metric="val_bpb", lower_is_better=False),
        draw_progress(RUNS, metric="loss", lower_is_better=True),
        draw_progress([*RUNS[:3], Bar("4a", 2.3, "no gain")], metric="val_bpb", lower_is_better=True),
        draw_progress([*RUNS[:3], Bar("4a", 2.3, "failed")], metric="val_bpb", lower_is_better=True),
        draw_progress([*RUNS[:3], Bar("4b", 2.3, "improved")], metric="val_bpb", lower_is_better=True),
    ]
    assert len(set(plots)) == len(plots)


@pytest.mark.parametrize(
    "curve",
    [
        [],
        [(0, 1.0)],
        [(0, math.nan)],
        [(math.nan, 1.0), (math.inf, 2.0)],
        [(0, 3.0), (1, math.inf), (2, math.nan), (3, 4.0)],
        [(0, 1e-300), (1, 1e300), (2, -1e300)],
        [(0, 0.0), (1, 0.0)],
        [(0, 2.5), (1, 2.5)],
        [(3, 1.0), (1, 2.0), (1, 3.0)],
        [(step, math.exp(step)) for step in range(60)],
    ],
)
def test_any_curve_is_drawn(curve: Sequence[tuple[float, float]]) -> None:
    assert size(draw_run({"loss": curve}, metric="loss", title="Run 1"))
    assert size(draw_run({"loss": CURVES["loss"], "odd": curve}, metric="loss", title="Run 1"))


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [Bar("1", 2.4, "improved")],
        [Bar("1", None, "failed")],
        [Bar("1", math.nan, "no gain"), Bar("2", math.inf, "improved"), Bar("3", 0.0, "improved")],
        [Bar("1", 2.4, "a verdict of later times")],
        [Bar(str(number), 1 / number, "improved") for number in range(1, 200)],
    ],
)
def test_any_runs_are_drawn(runs: Sequence[Bar]) -> None:
    assert size(draw_progress(runs, metric="val_bpb", lower_is_better=True))


@pytest.mark.parametrize("text", ["", "$", r"$\frac{", r"\$x$", "_hidden", "日本 🚀", "a\nb\0\x1b[31m", "x" * 1000])
def test_any_text_is_drawn(text: str) -> None:
    assert size(draw_run({text: CURVES["loss"], "lr": CURVES["lr"]}, metric=text, title=text))
    assert size(draw_progress([Bar(text, 1.0, text)], metric=text, lower_is_better=True))


NUMBERS = st.floats() | st.integers(0, 10**6).map(float)


@given(
    curve=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6),
    values=st.lists(st.none() | NUMBERS, max_size=4),
    text=st.text(max_size=12),
)
@settings(max_examples=8, deadline=None)
def test_no_number_stops_it(curve: list[tuple[float, float]], values: list[float | None], text: str) -> None:
    draw_run({text: curve, "loss": curve}, metric=text, title=text)
    draw_progress([Bar("1", value, "improved") for value in values], metric=text, lower_is_better=True)
