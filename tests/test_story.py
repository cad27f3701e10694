"""The stories of an experiment, told through the stand-in for GitHub over HTTP."""

from collections.abc import Callable

from tests.story import Story


def test_an_idea_becomes_a_merged_report(story: Callable[..., Story]) -> None:
    tale = story(runs=2)
    tale.begin()
    first = tale.concluded("1")
    tale.ada.merge(first["number"])
    second = tale.concluded("2")
    tale.ada.merge(second["number"])
    report = tale.opened("report")
    tale.ada.merge(report["number"])
    assert tale.closed()
