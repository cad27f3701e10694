"""The bot is killed at any of its requests, and started again: what comes of the story is the same."""

import re
from pathlib import Path

import pytest

from tests.kill.account import Account, assert_equal
from tests.kill.conftest import Teller
from tests.kill.knife import Choice, Place, nth
from tests.kill.tale import Tale, from_idea_to_report

WRITES, READS = 120, 200
"""More than the story has of each. The model's calls are writes: they leave something, if only a bill."""

BEFORE, AFTER = Place


def sent(method: str, path: str = "") -> Choice:
    return lambda request: request.method == method and re.search(path, request.path) is not None


@pytest.mark.parametrize(
    ("number", "kind", "place"),
    [
        pytest.param(2, sent("GET", r"/comments\?"), BEFORE, id="a read", marks=pytest.mark.kill),
        pytest.param(2, sent("ASK"), AFTER, id="a call of the model"),
        pytest.param(2, sent("POST", r"/dispatches$"), AFTER, id="a dispatch"),
        pytest.param(2, sent("PATCH", r"/git/refs/"), BEFORE, id="a commit"),
        pytest.param(2, sent("POST", r"/pulls$"), BEFORE, id="a pull request", marks=pytest.mark.kill),
        pytest.param(5, sent("POST", r"/comments$"), AFTER, id="a comment"),
    ],
)
def test_a_kill_changes_nothing(
    number: int, kind: Choice, place: Place, clean: Account, teller: Teller, tmp_path: Path
) -> None:
    tale = Tale(tmp_path / "lab", choice=nth(number, kind), place=place)
    killed = teller.tell(tale, from_idea_to_report)
    assert tale.knife.chosen
    assert_equal(clean, killed)


@pytest.mark.kill
@pytest.mark.parametrize(
    "path", ["git/refs", "pulls", "dispatches", "check-runs", "issues/1/comments", "issues/2/comments"]
)
def test_nor_where_lists_do_not_show_yet_what_was_sent(
    path: str, clean: Account, teller: Teller, tmp_path: Path
) -> None:
    tale = Tale(tmp_path / "lab", choice=sent("POST", f"/{path}$"), place=AFTER, lag=0.5)
    killed = teller.tell(tale, from_idea_to_report)
    assert tale.knife.chosen
    assert_equal(clean, killed)


@pytest.mark.kill
@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_nor_at_any_write(number: int, place: Place, clean: Account, teller: Teller, tmp_path: Path) -> None:
    if number <= _count(clean, reads=False):
        tale = Tale(tmp_path / "lab", choice=nth(number, lambda request: not request.reads), place=place)
        killed = teller.tell(tale, from_idea_to_report)
        assert tale.knife.chosen
        assert_equal(clean, killed)


@pytest.mark.kill
@pytest.mark.parametrize("number", range(1, READS + 1))
def test_nor_at_any_read(number: int, clean: Account, teller: Teller, tmp_path: Path) -> None:
    """How many there are differs a little from story to story: people and trainings are not always equally quick."""
    if number <= _count(clean, reads=True):
        tale = Tale(tmp_path / "lab", choice=nth(number, lambda request: request.reads))
        assert_equal(clean, teller.tell(tale, from_idea_to_report))


@pytest.mark.kill
def test_these_are_all_of_them(clean: Account) -> None:
    assert _count(clean, reads=False) <= WRITES
    assert _count(clean, reads=True) <= READS


def _count(account: Account, *, reads: bool) -> int:
    return sum(request.reads == reads for request in account.requests)
