"""The sweep's lists: what is new is told once, a quiet lab costs nothing, and a failure forgets nothing."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import GitHubError
from bot.events import branch_of, report_branch, request_name
from bot.folder import ROOT
from bot.lab import PATH as CONFIG
from bot.lab import WORKFLOW_PATH
from bot.local.faults import Answer, Call
from bot.watch import OVERLAP, News, Watch, look_around
from tests.lab import WORKFLOW, Lab, json_answer, paths
from tests.story import LAB

LISTS = ("/issues?", "/issues/comments", "/pulls", "/actions/workflows/train.yml/runs", "/git/ref/heads/main")
QUIET = News(frozenset(), frozenset(), everywhere=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.end()


class Tower:
    """Sweeps one after the other; the first is made already."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.watch = Watch(datetime.now(UTC) - timedelta(seconds=2))
        self.look()

    def look(self) -> News:
        news, self.watch = look_around(self.lab.gateway, self.watch)
        return news


def threads(*numbers: int) -> News:
    return News(frozenset(), frozenset(numbers), everywhere=False)


def experiments(*numbers: int) -> News:
    return News(frozenset(numbers), frozenset(), everywhere=False)


# What happened


def test_what_happened_is_told_once(lab: Lab) -> None:
    tower = Tower(lab)
    one, other = lab.issue("experiment"), lab.issue()
    assert tower.look() == threads(one, other)
    assert tower.look() == QUIET
    lab.ada.comment(other, "Hm.")
    assert tower.look().threads == {other}
    assert tower.look() == QUIET


def test_an_entry_that_changes_is_told_again(lab: Lab) -> None:
    number = lab.issue("experiment")
    comment = lab.ada.comment(number, "/help")["id"]
    tower = Tower(lab)
    assert tower.look() == QUIET
    another_second(lab)
    lab.ada.edit_comment(comment, "/report")
    assert tower.look().threads == {number}
    another_second(lab)
    lab.ada.close_issue(number)
    assert tower.look() == threads(number)
    assert tower.look() == QUIET


def another_second(lab: Lab) -> None:
    """GitHub's times are in whole seconds."""
    now = lab.github.store.now()
    while lab.github.store.now() == now:
        time.sleep(0.02)


def test_a_pull_request_tells_its_experiment_and_its_comments_no_thread(lab: Lab) -> None:
    tower = Tower(lab)
    lab.branch(branch_of(812, "1"), {"a.txt": "812"})
    pull = lab.gateway.open_pull(branch=branch_of(812, "1"), title="Run", body="")
    lab.branch(report_branch(813, "2"), {"a.txt": "813"})
    lab.gateway.open_pull(branch=report_branch(813, "2"), title="Report", body="")
    lab.branch("a-branch", {"a.txt": "a"})
    lab.gateway.open_pull(branch="a-branch", title="A", body="")
    assert pull
    assert tower.look() == experiments(812, 813)
    another_second(lab)
    lab.ada.comment(pull.number, "/revise-plan")
    assert tower.look() == experiments(812)
    assert tower.look() == QUIET


def test_a_training_tells_its_experiment_when_it_comes_and_when_it_ends(lab: Lab) -> None:
    tower = Tower(lab)
    told = {"pr": "1", "sha": "b" * 40, "request": request_name(814, "1", "a" * 40, 1)}
    started = lab.gateway.dispatch({**told, "command": "sleep 2"})
    lab.ada.dispatch("train.yml", pr="1", sha="x", request="by hand", command="true")
    assert started
    assert tower.look() == experiments(814)
    lab.run(started.id)
    assert tower.look() == experiments(814)
    while tower.look() != QUIET:  # the other one comes to its end, too
        assert tower.look().experiments <= {814}


# What it costs


def test_a_quiet_lab_costs_five_questions_that_are_free(lab: Lab) -> None:
    lab.issue()
    tower = Tower(lab)
    tower.look()
    with lab.calls() as calls:
        assert tower.look() == QUIET
    assert [call.status for call in calls] == [304] * 5
    assert all(path.startswith(kind) for path, kind in zip(paths(calls), LISTS, strict=True))


# Long lists


def test_more_than_a_hundred_comments_are_all_read(lab: Lab) -> None:
    tower = Tower(lab)
    number, last = lab.issue(), lab.issue()
    for index in range(100):
        lab.gateway.comment(number, f"{index}")
    lab.gateway.comment(last, "The last one.")
    with lab.calls() as calls:
        assert tower.look() == threads(number, last)
    assert sum("/issues/comments" in path for path in paths(calls)) == 2
    assert tower.look() == QUIET


NOW = datetime.now(UTC).replace(microsecond=0)


def pulls(count: int, *, age: timedelta) -> list[dict[str, Any]]:
    """As a list has them: the newest first, each so much older than the one before."""
    return [
        {
            "id": 5000 + number,
            "number": 5000 + number,
            "head": {"ref": branch_of(2000 + number, "1")},
            "updated_at": (NOW - age * number).isoformat(),
        }
        for number in range(count)
    ]


def serving(lab: Lab, found: list[dict[str, Any]]) -> AbstractContextManager[None]:
    """The list of pull requests, in pages."""

    def answer(call: Call) -> None:
        if call.path.startswith(f"/repos/{LAB}/pulls?"):
            page = int((re.search(r"[?&]page=(\d+)", call.path) or ["", "1"])[1])
            raise json_answer(json.dumps(found[100 * page - 100 : 100 * page]))

    return lab.before(answer)


@pytest.mark.parametrize(
    ("count", "age", "pages", "told"),
    [
        (99, timedelta(), 1, 99),
        (100, timedelta(), 2, 100),
        (250, timedelta(), 3, 250),
        (250, timedelta(seconds=1), 2, 121),
        (250, timedelta(seconds=2), 1, 61),
    ],
)
def test_of_a_long_list_the_newest_first_as_much_is_read_as_is_new(
    lab: Lab, count: int, age: timedelta, pages: int, told: int
) -> None:
    with lab.calls() as calls, serving(lab, pulls(count, age=age)):
        news, watch = look_around(lab.gateway, Watch(NOW - OVERLAP))
        again, _ = look_around(lab.gateway, watch)
    assert len({number for number in news.experiments if number >= 2000}) == told
    assert {number for number in again.experiments if number >= 2000} == set()
    assert sum(path.startswith("/pulls?") for path in paths(calls)) == 2 * pages


def test_an_entry_that_comes_into_its_list_late_is_told(lab: Lab) -> None:
    """As lists do that lag behind: its time is before that of what was seen already."""
    tower = Tower(lab)
    one, two, three = pulls(3, age=timedelta(seconds=40))
    tower.watch = Watch(NOW - timedelta(hours=1))
    with serving(lab, [one, three]):
        assert {2000, 2002} <= tower.look().experiments
    with serving(lab, [one, two, three]):
        assert tower.look().experiments == {2001}


# Main


@pytest.mark.parametrize(
    ("files", "numbers", "everywhere"),
    [
        ({f"{ROOT}/821-fit/train.py": "x"}, {821}, False),
        ({f"{ROOT}/822/notes/a.txt": "x", f"{ROOT}/823-other/PLAN.md": "x"}, {822, 823}, False),
        ({f"{ROOT}/README.md": "x", f"{ROOT}/notes/a.txt": "x", f"{ROOT}/-1/a.txt": "x"}, set(), False),
        ({"README.md": "x", "lib/821-fit/a.txt": "x"}, set(), False),
        ({CONFIG: "repairs: 1\n"}, set(), True),
        ({WORKFLOW_PATH: f"{WORKFLOW}# changed\n", f"{ROOT}/824-a/a.txt": "x"}, {824}, True),
    ],
)
def test_where_main_has_moved_it_concerns_the_experiments_of_changed_folders_or_all(
    lab: Lab, files: dict[str, str], numbers: set[int], everywhere: bool
) -> None:
    tower = Tower(lab)
    main = lab.gateway.head("main")
    assert main
    lab.gateway.move_branch("main", lab.commit(main, files))
    news = tower.look()
    assert (set(news.experiments), news.everywhere) == (numbers, everywhere)
    assert tower.look() == QUIET
    now = lab.gateway.head("main")
    assert now
    lab.gateway.move_branch("main", lab.commit(now, dict.fromkeys(files)))
    news = tower.look()
    assert (set(news.experiments), news.everywhere) == (numbers, everywhere)
    if everywhere:
        lab.push({WORKFLOW_PATH: WORKFLOW})


def test_where_main_came_from_nobody_knows_any_more_everything_may_have_changed(lab: Lab) -> None:
    """History was rewritten, and the commit is gone."""
    tower = Tower(lab)
    tower.watch = Watch(tower.watch.start, main="f" * 40)
    assert tower.look().everywhere
    assert tower.look() == QUIET


# Failures


@pytest.mark.parametrize("failing", LISTS)
def test_a_failure_half_way_forgets_nothing(lab: Lab, failing: str) -> None:
    tower = Tower(lab)
    number = lab.issue()
    lab.branch(branch_of(831, "1"), {"a.txt": f"{number}"})
    lab.gateway.open_pull(branch=branch_of(831, "1"), title="Run", body="")
    lab.push({f"{ROOT}/832-fit/a.txt": f"{number}"})
    forbidden = Answer(403, {"message": "Not now."})
    with lab.answering(re.escape(failing), forbidden), pytest.raises(GitHubError, match="Not now"):
        tower.look()
    news = tower.look()
    assert number in news.threads
    assert {831, 832} <= news.experiments
    assert tower.look() == QUIET
    for pull in lab.ada.pulls():
        lab.ada.close_pull(pull["number"])
    lab.ada.delete_branch(branch_of(831, "1"))


def test_a_lab_without_a_workflow_has_no_trainings_yet(tmp_path: Path) -> None:
    bare = Lab(tmp_path / "bare", workflow="")
    tower = Tower(bare)
    quiet = tower.look()
    bare.push({WORKFLOW_PATH: WORKFLOW})
    told = {"pr": "1", "sha": "b" * 40, "request": request_name(7, "1", "a" * 40, 1), "command": "true"}
    bare.gateway.dispatch(told)
    news = tower.look()
    bare.end()
    assert quiet == QUIET
    assert news == News(frozenset({7}), frozenset(), everywhere=True)
