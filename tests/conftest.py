"""What stories need: a whole lab on this machine, and people who work in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.story import Story

settings.register_profile("patient", deadline=None)  # no test asserts on the clock
settings.load_profile("patient")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Callable[..., Story]]:
    """Begins stories; each ends with the test."""
    begun: list[Story] = []

    def begin(**options: object) -> Story:
        begun.append(Story(tmp_path / f"lab-{len(begun)}", **options))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for one in begun:
        one.end()
