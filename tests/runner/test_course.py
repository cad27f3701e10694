from __future__ import annotations

import math

from runner.course import KEPT, Course, Reading


def test_a_short_course_is_exact() -> None:
    course = Course("loss")
    for step, value in enumerate([5.0, 4.0, 3.0, 2.0, 6.0]):
        course.add(value, step=step)
    assert (course.first, course.last) == (Reading(0, 5.0), Reading(4, 6.0))
    assert (course.low, course.high) == (Reading(3, 2.0), Reading(4, 6.0))
    assert course.quarters() == (4.0, 3.0, 2.0)


def test_a_long_course_is_bounded_and_its_quarters_are_about_right() -> None:
    course = Course("loss")
    for step in range(100_000):
        course.add(float(step), step=None)
    assert course.count == 100_000
    assert course.high == Reading(None, 99_999.0)
    for part, value in zip((0.25, 0.5, 0.75), course.quarters(), strict=True):
        assert abs(value - part * 100_000) < 3 * 100_000 / KEPT * 2


def test_what_is_not_finite_is_counted_and_no_extreme() -> None:
    course = Course("loss")
    for value in (math.nan, 2.0, math.inf):
        course.add(value, step=None)
    assert course.bad == 2
    assert course.low == course.high == Reading(None, 2.0)
