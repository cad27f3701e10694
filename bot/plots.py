"""Numbers → PNG. The same numbers give the same bytes.

matplotlib's object API only: pyplot keeps global state, and looks run in threads. It is imported inside the functions:
that takes half a second, for which a command that draws nothing should not wait.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]

INK, GREY, GRID = "#1f2328", "#6e7781", "#d8dee4"
BLUE, GREEN, RED = "#0969da", "#1a7f37", "#cf222e"

_INCHES = (8.0, 4.0)
_DPI = 150
_BESIDE = 3
"""So many curves are drawn beside the main one."""
_LABELLED = 16
"""So many runs have room for a label each."""
_SPIKE = 10.0
"""Positive values of which the largest is so many times the median are drawn on a log scale."""
_DRAWABLE = 1e100
"""Beyond it axes overflow. Such a value is as little use as infinity, and is drawn as that."""


@dataclass(frozen=True)
class Bar:
    """One run in the progress plot. `value` is None when the run has none."""

    run: str
    value: float | None
    verdict: str


def draw_run(curves: Mapping[str, Curve], *, metric: str, title: str) -> bytes:
    """The primary metric large, the others small beside it; where it is a single point, the first curve is large."""
    drawable = {name: points for name, curve in curves.items() if (points := _points(curve))}
    main = next((name for name in (metric, *drawable) if len(drawable.get(name, ())) > 1), next(iter(drawable), ""))
    beside = [name for name in drawable if name != main]
    figure = _figure()
    rows = min(len(beside), _BESIDE)
    grid = figure.add_gridspec(max(rows, 1), 2 if rows else 1, width_ratios=(2, 1) if rows else None)
    axes = figure.add_subplot(grid[:, 0])
    _head(axes, title, size=11)
    if len(beside) > rows:
        axes.set_title(f"{len(beside) - rows} more not shown", loc="right", color=GREY, fontsize=8)
    if not main:
        _say(axes, "no metrics were logged")
        return _png(figure)
    _draw_curve(axes, drawable[main], color=BLUE, width=1.8)
    _mark_last(axes, drawable[main])
    axes.set_xlabel("step", color=GREY, fontsize=9)
    axes.set_ylabel(_text(main), color=INK, fontsize=10)
    for row, name in enumerate(beside[:rows]):
        small = figure.add_subplot(grid[row, 1], sharex=axes)
        _head(small, name, size=8.5)
        _draw_curve(small, drawable[name], color=GREY, width=1.1)
        small.tick_params(labelsize=7, labelbottom=row == rows - 1)
    return _png(figure)


def draw_progress(values: Sequence[Bar], *, metric: str, lower_is_better: bool) -> bytes:
    """The primary metric run by run: the best so far as a line, and a mark for each run that tells its verdict."""
    figure = _figure()
    axes = figure.add_subplot()
    _head(axes, f"{metric}, {'lower' if lower_is_better else 'higher'} is better", size=11)
    if not values:
        _say(axes, "no run has ended yet")
        return _png(figure)
    best = _running_best(values)
    axes.step(range(len(best)), best, where="post", color=BLUE, linewidth=1.8, label="best so far", zorder=2)
    _mark_runs(axes, values)
    _label_improvements(axes, values, lower_is_better=lower_is_better)
    _scale(axes, [value for bar in values if (value := _value(bar)) is not None])
    axes.margins(x=0.04, y=0.18)
    shown = range(0, len(values), math.ceil(len(values) / _LABELLED))
    axes.set_xticks(list(shown), [_text(values[index].run) for index in shown])
    axes.set_xlabel("run", color=GREY, fontsize=9)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=9, borderaxespad=0.2)
    return _png(figure)


def _points(curve: Curve) -> list[tuple[float, float]]:
    """In the order of their steps; a value that cannot be drawn leaves a gap."""
    points = [(step, value if _is_drawable(value) else math.nan) for step, value in curve if _is_drawable(step)]
    return sorted(points, key=lambda point: point[0])


def _is_drawable(value: float) -> bool:
    return math.isfinite(value) and (value == 0 or 1 / _DRAWABLE < abs(value) < _DRAWABLE)


def _draw_curve(axes: "Axes", points: list[tuple[float, float]], *, color: str, width: float) -> None:
    steps, values = zip(*points, strict=True)
    finite = [value for value in values if not math.isnan(value)]
    axes.plot(steps, values, color=color, linewidth=width, marker="o" if len(finite) == 1 else None)
    _scale(axes, finite)
    broken = next((step for step, value in points if math.isnan(value)), None)
    if broken is not None:
        axes.axvline(broken, color=RED, linewidth=1, linestyle=":")
        axes.annotate(
            f"not finite: step {broken:g}",
            (broken, 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            color=RED,
            fontsize=7,
        )
    if not finite:
        axes.set_yticks([])


def _mark_last(axes: "Axes", points: list[tuple[float, float]]) -> None:
    last = next(((step, value) for step, value in reversed(points) if not math.isnan(value)), None)
    if last:
        axes.plot(*last, marker="o", markersize=6, color=BLUE)
        _label(axes, last, above=True, bold=True)


def _running_best(values: Sequence[Bar]) -> list[float]:
    """It starts with the first run that has a value; from then on only the verdict moves it."""
    best: list[float] = []
    for bar in values:
        so_far = best[-1] if best else math.nan
        value = _value(bar)
        moves = bar.verdict == "improved" or (math.isnan(so_far) and bar.verdict != "failed")
        best.append(value if moves and value is not None else so_far)
    return best


def _value(bar: Bar) -> float | None:
    return bar.value if bar.value is not None and _is_drawable(bar.value) else None


def _mark_runs(axes: "Axes", values: Sequence[Bar]) -> None:
    """A run without a value is marked at the foot of the plot."""
    looks = {
        "improved": ("improved", "o", GREEN, GREEN),
        "no gain": ("no gain", "o", "white", GREY),
        "failed": ("failed", "X", RED, "white"),
    }
    told: set[str] = set()
    for index, bar in enumerate(values):
        value = _value(bar)
        name, marker, face, edge = looks.get(bar.verdict, looks["no gain"])
        axes.plot(
            [index],
            [0.05 if value is None else value],
            transform=axes.get_xaxis_transform() if value is None else axes.transData,
            linestyle="none",
            marker=marker,
            markersize=9,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=0.8 if marker == "X" else 1.6,
            label=None if name in told else name,
            clip_on=False,
            zorder=3,
        )
        told.add(name)


def _label_improvements(axes: "Axes", values: Sequence[Bar], *, lower_is_better: bool) -> None:
    """Numbers at the improvements, all of them where there is room, and always at the best."""
    runs = [(index, _value(bar)) for index, bar in enumerate(values) if bar.verdict == "improved"]
    improved = [(index, value) for index, value in runs if value is not None]
    roomy = len(values) <= _LABELLED
    for point in improved:
        if roomy or point == improved[-1]:
            _label(axes, point, above=not lower_is_better, bold=point == improved[-1])


def _label(axes: "Axes", point: tuple[float, float], *, above: bool, bold: bool) -> None:
    axes.annotate(
        f"{point[1]:.4g}",
        point,
        xytext=(0, 9 if above else -9),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        color=INK if bold else GREY,
        fontsize=10 if bold else 8.5,
        fontweight="bold" if bold else "normal",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def _scale(axes: "Axes", values: Sequence[float]) -> None:
    if values and min(values) > 0 and max(values) >= _SPIKE * median(values):
        from matplotlib.ticker import LogLocator, NullLocator  # noqa: PLC0415 (see the top)

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:g}")


def _figure() -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 (see the top)
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415 (see the top)

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    return Figure(figsize=_INCHES, dpi=_DPI, facecolor="white", layout=layout)


def _head(axes: "Axes", title: str, *, size: float) -> None:
    axes.set_title(_text(title), loc="left", color=INK, fontsize=size, fontweight="bold" if size > 10 else "normal")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(colors=GREY, labelsize=9, length=0)


def _say(axes: "Axes", sentence: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=11)


def _text(text: str) -> str:
    """As matplotlib can draw it: no formula begins at a `$`, and what its font lacks is a question mark."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 (see the top)

    font = get_font(findfont("DejaVu Sans"))
    line = " ".join(text.split())
    cut = line if len(line) <= 80 else line[:79] + "…"
    return "".join(char if font.get_char_index(ord(char)) else "?" for char in cut).replace("$", r"\$")


def _png(figure: "Figure") -> bytes:
    file = BytesIO()
    # Without `Software` the bytes do not tell matplotlib's version.
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
