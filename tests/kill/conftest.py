"""Clean stories, which the killed ones are to equal: each is told once per worker."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.kill.account import Account, account_of
from tests.kill.tale import Tale, from_idea_to_report


class Teller:
    """Tells stories to their end, and counts them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def tell(self, tale: Tale, story: Callable[[Tale], None]) -> Account:
        """What is left of a story that was told to its end is its account alone."""
        started = time.monotonic()
        try:
            story(tale)
            tale.bot.kill()
            account = account_of(tale)
        finally:
            tale.end()
        shutil.rmtree(tale.folder)
        self.seconds.append(time.monotonic() - started)
        return account


@pytest.fixture(scope="session")
def teller(request: pytest.FixtureRequest) -> Iterator[Teller]:
    teller = Teller()
    yield teller
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        count, seconds = len(teller.seconds), sum(teller.seconds)
        print(f"\nkill: {count} stories, {seconds:.0f} s, {seconds / count:.1f} s each", file=sys.stderr)


@pytest.fixture(scope="session")
def clean(teller: Teller, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The account of the story that nobody disturbs."""
    return teller.tell(Tale(tmp_path_factory.mktemp("clean")), from_idea_to_report)
