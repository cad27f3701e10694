"""GitHub in verbs of ours, against the stand-in."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import GitHubError, Moved, NotFound, Unavailable
from bot.events import request_name
from bot.experiment import Comment
from bot.gateway import App, WorkflowRun
from bot.pieces import CheckRun
from tests.lab import Lab, json_answer
from tests.story import LAB

NOBODY = "0" * 40


# Verbs


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.end()


def test_the_app_knows_its_labs_and_its_name(lab: Lab) -> None:
    assert lab.app.labs() == [LAB]
    assert lab.gateway.login == "trainwright[bot]"


def test_a_lab_without_the_app_is_not_found(lab: Lab) -> None:
    with pytest.raises(NotFound):
        lab.app.gateway("ada/other")


def test_an_issue_is_read_and_a_pull_request_is_none(lab: Lab) -> None:
    number = lab.issue("experiment")
    found = lab.gateway.issue(number)
    assert (found.title, found.author, found.open, found.labels, found.seen) == (
        "Fit it",
        "ada",
        True,
        frozenset({"experiment"}),
        0,
    )
    lab.branch("a-branch", {"a.txt": "a"})
    pull = lab.gateway.open_pull(branch="a-branch", title="A", body="")
    assert pull
    for missing in (pull.number, 9999):
        with pytest.raises(NotFound):
            lab.gateway.issue(missing)
    assert lab.gateway.branch_of_thread(pull.number) == "a-branch"
    assert lab.gateway.branch_of_thread(number) is None


def test_comments_tell_ours_from_others(lab: Lab) -> None:
    number = lab.issue()
    lab.ada.comment(number, "/report")
    said = lab.gateway.comment(number, "Fine.")
    theirs, ours = lab.gateway.comments(number)
    assert (theirs.login, theirs.by_us, theirs.by_bot) == ("ada", False, False)
    assert (ours.login, ours.by_us, ours.by_bot) == ("trainwright[bot]", True, True)
    assert said == Comment(ours.id, "Fine.", ours=True)
    lab.gateway.edit_comment(ours.id, "Better.")
    assert lab.gateway.comments(number)[1].body == "Better."


def test_more_than_one_page_is_read(lab: Lab) -> None:
    number = lab.issue()
    for index in range(101):
        lab.gateway.comment(number, f"{index}")
    assert [comment.body for comment in lab.gateway.comments(number)] == [str(index) for index in range(101)]


def test_labels_come_and_go(lab: Lab) -> None:
    number = lab.issue()
    lab.gateway.add_label(number, "paused")
    lab.gateway.remove_label(number, "paused")
    lab.gateway.remove_label(number, "paused")
    events = [(h.event, h.label, h.login) for h in lab.gateway.timeline(number)]
    assert events == [(event, "paused", "trainwright[bot]") for event in ("labeled", "unlabeled")]


def test_labels_that_are_missing_are_made_once(lab: Lab) -> None:
    for _ in range(2):
        lab.gateway.create_labels({"a label": "What it says"})
    number = lab.issue("a label")
    assert lab.gateway.issue(number).labels == {"a label"}


@pytest.mark.parametrize(("role", "may"), [("write", True), ("admin", True), ("maintain", True), ("triage", False)])
def test_who_may_write(lab: Lab, role: str, may: bool) -> None:
    lab.person(f"a-{role}", role=role)
    assert lab.gateway.may_write(f"a-{role}") is may


def test_a_stranger_and_nobody_may_not_write(lab: Lab) -> None:
    assert not lab.gateway.may_write("nobody-at-all")
    assert not lab.gateway.may_write("odd/../login")


def test_a_commit_has_texts_and_pictures_and_moves_its_branch(lab: Lab) -> None:
    first = lab.branch("work", {"a/b.txt": "one"})
    second = lab.commit(first, {"a/b.txt": "two", "p.png": b"\x89\0\xff"})
    lab.gateway.move_branch("work", second)
    assert lab.gateway.head("work") == second
    tree = lab.gateway.tree(second)
    assert lab.gateway.blob(tree["a/b.txt"].sha) == b"two"
    assert lab.gateway.blob(tree["p.png"].sha) == b"\x89\0\xff"
    assert "README.md" in tree


def test_a_branch_that_went_on_is_not_moved_back(lab: Lab) -> None:
    first = lab.branch("busy", {"a.txt": "one"})
    theirs = lab.commit(first, {"a.txt": "theirs"})
    ours = lab.commit(first, {"a.txt": "ours"})
    lab.gateway.move_branch("busy", theirs)
    with pytest.raises(Moved):
        lab.gateway.move_branch("busy", ours)
    assert lab.gateway.head("busy") == theirs


def test_a_branch_and_its_pull_request_are_made_once(lab: Lab) -> None:
    first = lab.branch("once", {"a.txt": "one"})
    assert not lab.gateway.create_branch("once", lab.branch("other", {"a.txt": "two"}))
    assert lab.gateway.head("once") == first
    opened, again = (lab.gateway.open_pull(branch="once", title="Once", body="One") for _ in range(2))
    assert again is None
    pull = lab.gateway.pull_from("once")
    assert opened
    assert pull
    assert (pull.number, pull.created, pull.comments) == (opened.number, opened.created, 0)
    assert (pull.open, pull.merged, pull.head, pull.body) == (True, False, first, "One")
    lab.gateway.edit_pull(pull.number, body="Two")
    lab.ada.merge(pull.number)
    pull = lab.gateway.pull_from("once")
    assert pull
    assert (pull.open, pull.merged, pull.body) == (False, True, "Two")
    assert pull.closed_at
    assert lab.gateway.head("once") is None


def test_of_two_pull_requests_of_a_branch_the_newer_counts(lab: Lab) -> None:
    lab.branch("twice", {"a.txt": "one"})
    first = lab.gateway.open_pull(branch="twice", title="First", body="")
    assert first
    lab.ada.close_pull(first.number)
    second = lab.gateway.open_pull(branch="twice", title="Second", body="")
    found = lab.gateway.pull_from("twice")
    assert second
    assert found
    assert (found.number, found.title) == (second.number, "Second")


def test_an_experiment_s_branches_are_those_of_its_number(lab: Lab) -> None:
    shas = {name: lab.branch(name, {"a.txt": name}) for name in ("experiment/77/run-1", "experiment/77/report-2")}
    lab.branch("experiment/771/run-1", {"a.txt": "another"})
    assert lab.gateway.branches(77) == shas
    assert lab.gateway.branches(7) == {}


def test_a_commit_takes_files_away_and_asks_nothing_that_it_knows(lab: Lab) -> None:
    first = lab.branch("less", {"a/b.txt": "one", "a/c.txt": "two"})
    with lab.calls() as calls:
        second = lab.commit(first, {"a/b.txt": None, "a/d.txt": "three"})
        tree = lab.gateway.tree(second)
        assert lab.gateway.blob(tree["a/d.txt"].sha) == b"three"
    assert [call.method for call in calls] == ["POST", "POST"]
    fresh = lab.app.gateway(LAB)
    assert dict(fresh.tree(second)) == dict(tree)
    assert sorted(path for path in tree if path.startswith("a/")) == ["a/c.txt", "a/d.txt"]


def test_a_commit_may_have_two_parents(lab: Lab) -> None:
    one, other = (lab.branch(name, {f"{name}.txt": name}) for name in ("one-side", "other-side"))
    both = lab.gateway.commit(parents=[one, other], base=one, files={"other-side.txt": "other-side"}, message="Both")
    assert lab.gateway.create_branch("both-sides", both)
    for side in (one, other):
        assert lab.gateway.merge_base(side, both) == side
    assert lab.gateway.merge_base(one, other) == lab.gateway.head("main")


def test_a_missing_branch_and_commit_are_told_apart_from_errors(lab: Lab) -> None:
    assert lab.gateway.head("no/such/branch") is None
    assert lab.gateway.pull_from("no/such/branch") is None
    with pytest.raises(GitHubError):
        lab.gateway.tree(NOBODY)


def test_a_check_is_made_and_brought_up_to_date(lab: Lab) -> None:
    sha = lab.branch("checked", {"a.txt": "one"})
    check = CheckRun(sha, "1/1/abc", "in_progress", None, "Training", "It runs.", "https://example.com/")
    made = lab.gateway.set_check(check, known=())
    [known] = lab.gateway.checks(sha)
    assert made == known
    done = CheckRun(sha, "1/1/abc", "completed", "neutral", "no gain", "It ran.", "https://example.com/")
    made = lab.gateway.set_check(done, known=[known])
    [found] = lab.gateway.checks(sha)
    assert made == found
    assert (found.id, found.status, found.conclusion, found.title) == (known.id, "completed", "neutral", "no gain")


def train(lab: Lab, experiment: int, command: str) -> WorkflowRun:
    """Dispatched, and ended."""
    request = request_name(experiment, "1", "a" * 40, 1)
    started = lab.gateway.dispatch({"pr": "1", "sha": "b" * 40, "request": request, "command": command})
    assert started
    [found] = lab.gateway.workflow_runs(experiment, since=datetime.now(UTC) - timedelta(days=1))
    assert (started.id, started.url) == (found.id, found.url)
    lab.run(found.id)
    [found] = lab.gateway.workflow_runs(experiment, since=datetime.now(UTC) - timedelta(days=1))
    return found


def test_an_older_server_does_not_say_which_training_it_started(lab: Lab) -> None:
    with lab.answering("POST .*/dispatches", json_answer("", 204)):
        assert lab.gateway.dispatch({"pr": "1", "sha": "b" * 40, "request": "x", "command": "true"}) is None


def test_a_training_is_found_by_its_name_with_its_artifact(lab: Lab) -> None:
    found = train(lab, 901, "echo digest > digest.md; echo evil > evil.sh")
    assert (found.request.run, found.request.ordinal, found.sha) == ("1", 1, "b" * 40)
    assert (found.status, found.conclusion, found.attempt) == ("completed", "success", 1)
    assert lab.gateway.artifact(found) == {"digest.md": b"digest\n"}
    lab.gateway.cancel(found.id)


def test_a_training_that_left_nothing_has_no_artifact(lab: Lab) -> None:
    found = train(lab, 902, "false")
    assert found.conclusion == "failure"
    assert lab.gateway.artifact(found) is None


def test_other_workflow_runs_are_none_of_an_experiment_s(lab: Lab) -> None:
    lab.ada.dispatch("train.yml", pr="1", sha="x", request="by hand", command="true")
    assert lab.gateway.workflow_runs(903, since=datetime.now(UTC) - timedelta(days=1)) == []


def test_open_experiments_are_issues_with_the_label(lab: Lab) -> None:
    number, other = lab.issue("experiment"), lab.issue()
    assert number in lab.gateway.open_experiments()
    assert other not in lab.gateway.open_experiments()
    lab.gateway.close_issue(number)
    assert number not in lab.gateway.open_experiments()


def test_an_issue_that_was_transferred_is_not_found_here(lab: Lab) -> None:
    number = lab.issue()
    there = lab.ada.issue(number)
    moved = {**there, "number": 3, "repository_url": there["repository_url"].replace(LAB, "ada/other")}
    with (
        lab.answering(f"GET .*/issues/{number}$", json_answer(json.dumps(moved))),
        pytest.raises(NotFound, match=f"#{number} was transferred"),
    ):
        lab.gateway.issue(number)


def test_a_lab_that_was_renamed_has_its_issues_still(lab: Lab) -> None:
    """As GitHub answers by its redirect: the address is the new one, the number the same."""
    number, gateway = lab.issue(), lab.app.gateway(LAB)
    facts = {"default_branch": "main", "url": f"{lab.github.api_url}/repos/ada/old"}
    with lab.answering(f"GET /repos/{LAB}$", json_answer(json.dumps(facts))):
        assert gateway.issue(number).number == number


def test_the_eyes_are_seen(lab: Lab) -> None:
    number = lab.issue()
    lab.gateway.react(number)
    lab.gateway.react(number)
    assert lab.gateway.issue(number).seen == 1


def test_without_github_everything_is_unavailable(lab: Lab) -> None:
    gone = App(api_url="http://127.0.0.1:9/api/v3", app_id="1", private_key=lab.key.private_key, pace=False)
    with pytest.raises(Unavailable, match="could not be reached"):
        gone.gateway(LAB)
    gone.close()
