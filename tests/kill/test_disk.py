"""The bot's disk is full: it says so, loses nothing, and goes on when there is space."""

import resource
from pathlib import Path

import pytest

from tests.kill.account import account_of
from tests.kill.tale import Tale


@pytest.mark.kill
def test_a_full_disk_is_told_and_waited_for(tmp_path: Path) -> None:
    tale = Tale(tmp_path / "lab")
    try:
        tale.begin()
        first = tale.concluded("1")["number"]
        tale.rest()
        limit(tale, 0)
        tale.ada.merge(first)
        tale.wait("a word on it", lambda: "The bot's database cannot be" in tale.status())
        assert tale.pull("2") is None
        assert "paused" not in tale.labels()
        limit(tale, resource.RLIM_INFINITY)
        tale.concluded("2")
        tale.rest()
        assert "database" not in tale.status()
        tale.bot.kill()
        account = account_of(tale)
        assert account.answered == account.asked
    finally:
        tale.end()


def limit(tale: Tale, size: int) -> None:
    """No file of the bot's process can become larger than that: to it the disk is full."""
    resource.prlimit(tale.bot.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
