"""Two sides of a folder brought together: what only one of them touched is kept, and what both did is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.folder import CODE, FILE, LOG, PLAN, PROGRESS_PLOT, TASKS, Entry, Folder, plot_path, record_path
from bot.merge3 import Merge, merge

NAMES = [CODE, PLAN, TASKS, LOG, record_path("2"), plot_path("2"), PROGRESS_PLOT, record_path("1"), "evaluate.py"]
OURS = {CODE, record_path("2"), plot_path("2"), PROGRESS_PLOT}
"""Of run 2."""


def folder(**contents: str) -> Folder:
    return named(contents)


def named(contents: dict[str, str]) -> Folder:
    return Folder("c" * 40, "experiments/1-fit", {name: Entry(FILE, text) for name, text in contents.items()})


def merged(base: Folder, main: Folder, branch: Folder) -> tuple[Merge, dict[str, str]]:
    """And the files that come of it: main's, with what the merge takes and takes away."""
    both = merge(base, main, branch, run="2")
    kept = {name: entry.sha for name, entry in main.entries.items() if name not in both.removed}
    return both, kept | {name: branch.entries[name].sha for name in both.taken}


@pytest.mark.parametrize(
    ("name", "before", "main", "branch", "after", "told"),
    [
        # only one side changed it
        ("notes.txt", "old", "main", "old", "main", ""),
        ("notes.txt", "old", "old", "branch", "branch", ""),
        ("notes.txt", None, "main", None, "main", ""),
        ("notes.txt", None, None, "branch", "branch", ""),
        ("notes.txt", "old", None, "old", None, ""),
        ("notes.txt", "old", "old", None, None, ""),
        (CODE, "old", "main", "old", "main", ""),
        (PLAN, "old", "old", "branch", "branch", ""),
        # both, in the same way
        ("notes.txt", "old", "new", "new", "new", ""),
        ("notes.txt", "old", None, None, None, ""),
        (CODE, None, "new", "new", "new", ""),
        # both, in different ways
        ("notes.txt", "old", "main", "branch", "main", "main"),
        ("notes.txt", None, "main", "branch", "main", "main"),
        ("notes.txt", "old", "main", None, "main", "main"),
        ("notes.txt", "old", None, "branch", "branch", "branch"),
        (PLAN, "old", "main", "branch", "main", "main"),
        (CODE, "old", "main", "branch", "branch", "branch"),
        (CODE, "old", None, "branch", "branch", "branch"),
        # what the bot writes anew or keeps itself is not worth a word
        (TASKS, "old", "main", "branch", "main", ""),
        (LOG, "old", "main", "branch", "main", ""),
        (PROGRESS_PLOT, "old", "main", "branch", "branch", ""),
        (record_path("2"), None, "main", "branch", "branch", ""),
        (plot_path("2"), None, "main", "branch", "branch", ""),
        (record_path("1"), "old", "main", "branch", "main", ""),
        (plot_path("1"), "old", "main", "branch", "main", ""),
    ],
)
def test_one_file(
    name: str, before: str | None, main: str | None, branch: str | None, after: str | None, told: str
) -> None:
    sides = [named({name: text} if text else {}) for text in (before, main, branch)]
    both, files = merged(*sides)
    assert files.get(name) == after
    assert (both.from_main, both.from_branch) == (
        (name,) if told == "main" else (),
        (name,) if told == "branch" else (),
    )


def test_main_s_other_files_stay_as_they_are() -> None:
    base, main = folder(a="1", b="1"), folder(a="2", b="1", c="3")
    both, files = merged(base, main, base)
    assert both == Merge((), (), (), ())
    assert files == {"a": "2", "b": "1", "c": "3"}


sides = st.fixed_dictionaries({name: st.sampled_from([None, "x", "y", "z"]) for name in NAMES}).map(
    lambda contents: named({name: text for name, text in contents.items() if text})
)


@given(sides, sides, sides)
@settings(deadline=None, max_examples=200)
def test_what_only_one_side_touched_is_as_that_side_has_it(base: Folder, main: Folder, branch: Folder) -> None:
    both, files = merged(base, main, branch)
    for name in NAMES:
        before, there, here = (side.entries.get(name) for side in (base, main, branch))
        after = files.get(name)
        if there == before:
            assert after == (here and here.sha)
        elif here in (before, there):
            assert after == (there and there.sha)
        else:
            expected = here if name in OURS or there is None else there
            assert after == (expected and expected.sha)
            told = both.from_branch if expected is here else both.from_main
            assert (name in told) is (name in (CODE, PLAN, "evaluate.py"))


@given(sides, sides, sides)
@settings(deadline=None, max_examples=100)
def test_nothing_is_told_twice_taken_from_nowhere_or_removed_from_nowhere(
    base: Folder, main: Folder, branch: Folder
) -> None:
    both, _ = merged(base, main, branch)
    assert set(both.taken) <= branch.entries.keys()
    assert set(both.removed) <= main.entries.keys()
    assert not set(both.taken) & set(both.removed)
    assert not set(both.from_main) & set(both.from_branch)
    assert set(both.from_main).isdisjoint({*both.taken, *both.removed})


@given(sides, sides)
@settings(deadline=None, max_examples=60)
def test_what_was_brought_together_once_needs_nothing_the_second_time(base: Folder, branch: Folder) -> None:
    _, files = merged(base, base, branch)
    assert files == {name: entry.sha for name, entry in branch.entries.items()}
    assert merge(base, branch, branch, run="2") == Merge((), (), (), ())
