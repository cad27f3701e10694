"""The course of one metric over a whole run, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

KEPT = 256  # points; beyond, every other one is dropped and half as many are taken


@dataclass(frozen=True)
class Reading:
    step: float | None  # the step it was printed with, as far as one was
    value: float


class Course:
    """First, last and extremes are exact; the quarters are those of the thinned points."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.bad = 0  # NaN or infinite
        self.first: Reading | None = None
        self.low: Reading | None = None
        self.high: Reading | None = None
        self._last: tuple[float | None, float] = (None, math.nan)
        self._lowest, self._highest = math.inf, -math.inf
        self._points: list[float] = []
        self._stride = 1

    @property
    def last(self) -> Reading | None:
        return Reading(*self._last) if self.count else None

    def add(self, value: float, *, step: float | None) -> None:
        """Called for every number of a log: no object is made unless it is kept."""
        self._last = (step, value)
        if self.first is None:
            self.first = Reading(step, value)
        if not math.isfinite(value):
            self.bad += 1
        else:
            if value < self._lowest:
                self._lowest, self.low = value, Reading(step, value)
            if value > self._highest:
                self._highest, self.high = value, Reading(step, value)
        if self.count % self._stride == 0:
            self._points.append(value)
            if len(self._points) == KEPT:
                del self._points[1::2]
                self._stride *= 2
        self.count += 1

    def quarters(self) -> tuple[float, float, float]:
        """The values at a quarter, a half and three quarters of the way."""
        last = len(self._points) - 1
        one, two, three = (self._points[round(last * part)] for part in (0.25, 0.5, 0.75))
        return one, two, three
