"""An experiment, rebuilt from a GitHub that anybody may have written to."""

import json
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import Lagging, Moved, NotFound
from bot.events import branch_of, report_branch, request_name
from bot.experiment import Experiment, Training
from bot.folder import PLAN, record_path
from bot.load import Loader
from bot.local.faults import Answer, Call
from bot.pieces import bound_mark, mark, reply_mark
from bot.records import to_json
from runner.result import Status
from tests.lab import Lab, json_answer, paths
from tests.values import PLAN_TEXT, SOURCE, attempt, record, result, result_of


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.person("mallory", role="triage")
    lab.person("grace", role="write")
    yield lab
    lab.end()


def look(lab: Lab, number: int, *, later: timedelta = timedelta()) -> Experiment | None:
    """`later`: so much after everything that has happened."""
    return Loader(lab.gateway, clock=lambda: datetime.now(UTC) + later).load(number, dollars=0.5)


def load(lab: Lab, number: int) -> Experiment:
    x = look(lab, number)
    assert x
    return x


def home(number: int) -> str:
    return f"experiments/{number}-fit-it"


def files(number: int, run: str = "1", **others: str) -> dict[str, str]:
    """A run's branch."""
    known = record(run, experiment=number)
    texts = {PLAN: PLAN_TEXT, "train.py": SOURCE, record_path(run): to_json(known)} | others
    return {f"{home(number)}/{name}": text for name, text in texts.items()}


def begun(lab: Lab, number: int, run: str = "1", **others: str) -> int:
    """A run with its pull request, whose number this is."""
    branch = branch_of(number, run)
    lab.branch(branch, files(number, run, **others))
    pull = lab.gateway.open_pull(branch=branch, title="Run", body="")
    assert pull
    return pull.number


# The issue


def test_a_new_experiment_is_its_issue_and_nothing_else(lab: Lab) -> None:
    number = lab.issue("experiment")
    x = load(lab, number)
    assert (x.title, x.body, x.author, x.open, x.dollars) == ("Fit it", "Does it fit?", "ada", True, 0.5)
    assert (x.runs, x.report, x.asked, x.records, x.config_error) == ((), None, (), (), "")
    assert (x.main.exists, x.main.path) == (False, home(number))
    assert x.authority
    assert (x.authority.login, x.authority.may) == ("ada", True)
    assert x.cause == f"event-{x.authority.event}"


@pytest.mark.parametrize("number", [9999])
def test_what_is_no_issue_is_not_found(lab: Lab, number: int) -> None:
    with pytest.raises(NotFound):
        load(lab, number)


def test_the_authority_is_whoever_set_the_label_last(lab: Lab) -> None:
    with lab.github.person("mallory", "ada/lab") as mallory:
        number = lab.issue("experiment", by=mallory)
    x = load(lab, number)
    assert x.authority
    assert (x.authority.login, x.authority.may) == ("mallory", False)
    lab.ada.unlabel(number, "experiment")
    lab.ada.label(number, "experiment")
    again = load(lab, number)
    assert again.authority
    assert (again.authority.login, again.authority.may) == ("ada", True)
    assert again.cause != x.cause


def test_an_ordinary_issue_is_no_experiment_and_costs_two_reads(lab: Lab) -> None:
    number = lab.issue("bug")
    with lab.calls() as calls:
        assert look(lab, number) is None
    assert [path.partition("?")[0] for path in paths(calls)] == [f"/issues/{number}", f"/issues/{number}/timeline"]


def test_an_issue_that_was_an_experiment_still_is_one(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.unlabel(number, "experiment")
    x = load(lab, number)
    assert x.labels == frozenset()
    assert x.authority
    assert x.authority.may


@pytest.mark.parametrize(("login", "may"), [("mallory", False), ("grace", True)])
def test_a_title_changed_after_the_label_counts_only_from_somebody_who_may(lab: Lab, login: str, may: bool) -> None:
    number = lab.issue("experiment")
    with lab.github.person(login, "ada/lab") as editor:
        editor.edit_issue(number, title=f"Fit it, says {login}")
    authority = load(lab, number).authority
    assert authority
    assert (authority.may, authority.edited_by) == (may, None if may else login)


def test_pausing_and_going_on_changes_no_cause_and_says_who(lab: Lab) -> None:
    number = lab.issue("experiment")
    cause = load(lab, number).cause
    lab.ada.label(number, "paused")
    assert load(lab, number).paused_by == "ada"
    lab.ada.unlabel(number, "paused")
    lab.gateway.add_label(number, "paused")
    x = load(lab, number)
    assert (x.paused_by, x.cause, len(x.resumptions)) == (None, cause, 1)


def test_a_closed_pull_request_is_the_next_cause(lab: Lab) -> None:
    number = lab.issue("experiment")
    pull = begun(lab, number)
    started = load(lab, number).cause
    lab.ada.close_pull(pull)
    assert (started[:6], load(lab, number).cause) == ("event-", f"pull-{pull}")


# Commands


def names(x: Experiment) -> list[tuple[str, bool]]:
    return [(asked.command.name, asked.may) for asked in x.asked]


def test_commands_without_a_reply_are_found_in_every_thread_in_order(lab: Lab) -> None:
    number = lab.issue("experiment")
    pull = begun(lab, number)
    lab.ada.comment(pull, "/revise-plan smaller\n/help")
    with lab.github.person("mallory", "ada/lab") as mallory:
        mallory.comment(number, "/report")
    lab.ada.comment(number, "> /report\n\nNo `/report` here.")
    x = load(lab, number)
    assert names(x) == [("revise-plan", True), ("help", True), ("report", False)]
    assert [asked.thread for asked in x.asked] == [pull, pull, number]
    assert x.asked[0].command.guidance == "smaller"


def test_only_our_own_reply_answers_a_command(lab: Lab) -> None:
    number = lab.issue("experiment")
    comment = lab.ada.comment(number, "/help")["id"]
    answered = mark(reply_mark(comment, 0))
    with lab.github.person("mallory", "ada/lab") as mallory:
        mallory.comment(number, answered)
    assert names(load(lab, number)) == [("help", True)]
    lab.gateway.comment(number, answered)
    assert names(load(lab, number)) == []


def test_what_the_bot_says_is_no_command(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.gateway.comment(number, "/report")
    assert load(lab, number).asked == ()


def test_a_report_stays_asked_for_by_our_own_mark_alone(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.comment(number, mark(bound_mark("report")))
    assert not load(lab, number).report_asked
    lab.gateway.comment(number, mark(bound_mark("report")))
    assert load(lab, number).report_asked


# Runs


def test_a_branch_is_a_run_even_before_its_pull_request(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.branch(branch_of(number, "1"), files(number))
    [run] = load(lab, number).runs
    assert (run.id, run.pull, run.open) == ("1", None, True)
    assert run.record == record(experiment=number)


def test_a_merged_run_and_a_later_one_are_known_though_branches_are_gone(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.merge(begun(lab, number))
    second = begun(lab, number, "2")
    lab.ada.close_pull(second)
    lab.ada.delete_branch(branch_of(number, "2"))
    x = load(lab, number)
    assert [(run.id, run.open, run.pull and run.pull.merged) for run in x.runs] == [
        ("1", False, True),
        ("2", False, False),
    ]
    assert [known.run for known in x.records] == ["1", "2"]
    assert [known.run for known in x.main.records] == ["1"]


def test_in_a_copied_lab_the_next_run_is_found_though_the_last_has_no_pull_request(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.push({f"{home(number)}/{record_path('5')}": to_json(result_of("5", experiment=number))})
    begun(lab, number, "6")
    assert [run.id for run in load(lab, number).runs] == ["6"]


def test_the_report_takes_the_place_of_the_next_run(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.merge(begun(lab, number))
    lab.branch(report_branch(number, "2"), {f"{home(number)}/REPORT.md": "# Report\n"})
    report = load(lab, number).report
    assert report
    assert (report.id, report.pull) == ("report", None)


def test_a_folder_is_found_by_its_number_whatever_the_title_becomes(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.merge(begun(lab, number))
    lab.ada.edit_issue(number, title="Something else")
    lab.push({f"experiments/{number}0-other/train.py": "x = 1\n"})
    assert load(lab, number).main.path == home(number)


NONSENSE = ["", "[]", "{", '{"version": 2}', "\0\ufffd", "[" * 5000, to_json(record("1")).replace('"1"', '"one"', 1)]


def test_a_record_edited_to_nonsense_is_no_record(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.merge(begun(lab, number))
    lab.push({f"{home(number)}/runs/run-{run}.json": text for run, text in enumerate(NONSENSE, start=1)})
    x = load(lab, number)
    assert x.main.records == ()
    assert [known.run for known in x.records] == ["1"]


def test_a_record_that_contradicts_itself_does_not_raise(lab: Lab) -> None:
    number = lab.issue("experiment")
    odd = result_of(attempts=(attempt(seconds=float("inf"), metrics={"loss": float("nan")}, inputs=""),))
    begun(lab, number, **{record_path("1"): to_json(odd), record_path("7"): to_json(odd)})
    assert not load(lab, number).runs[0].concluded


# The configuration


def test_a_broken_configuration_is_told_with_its_key(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.push({".github/trainwright.yml": "budget: {runs: 0}\n"})
    broken = load(lab, number)
    lab.push({".github/trainwright.yml": "budget: {runs: 3}\n"})
    assert "`budget.runs`" in broken.config_error
    assert broken.config_error.endswith("\n\nMend it on main, and I go on by myself.")
    assert (load(lab, number).config_error, load(lab, number).config.budget.runs) == ("", 3)


# Trainings


def trained(lab: Lab, command: str) -> Training:
    """Run 1 of a new experiment, after a training that does this."""
    number = lab.issue("experiment")
    pull = begun(lab, number)
    [run] = load(lab, number).runs
    assert run.pull
    request = request_name(number, "1", run.folder.inputs, 1)
    lab.gateway.dispatch({"pr": str(pull), "sha": run.pull.head, "request": request, "command": command})
    [found] = load(lab, number).runs[0].trainings
    lab.run(found.id)
    [found] = load(lab, number).runs[0].trainings
    return found


def leaves(status: Status) -> str:
    text = result(status).to_json()
    return f"printf %s {shlex.quote(text)} > result.json; echo '# Digest' > digest.md"


def test_a_finished_training_brings_its_artifact(lab: Lab) -> None:
    found = trained(lab, leaves(Status.OK))
    assert found.artifact
    assert found.artifact.result == result()
    assert found.artifact.digest == "# Digest\n"
    assert (found.ordinal, found.conclusion, found.complaint, found.active) == (1, "success", "", False)


@pytest.mark.parametrize("command", [leaves(Status.CANCELLED), "false"])
def test_a_training_that_did_not_live_to_its_end_is_lost(lab: Lab, command: str) -> None:
    found = trained(lab, command)
    assert (found.artifact, found.complaint, found.active) == (None, "", False)


def test_an_artifact_that_cannot_be_used_is_complained_of(lab: Lab) -> None:
    found = trained(lab, "echo nonsense > result.json")
    assert found.artifact is None
    assert found.complaint.startswith("Its result.json is not valid: ")


# Lists that are behind


EMPTY = json_answer("[]")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda lab, number: lab.ada.unlabel(number, "experiment"),
        lambda lab, number: lab.ada.label(number, "paused"),
        lambda lab, number: lab.ada.close_issue(number),
    ],
    ids=["unlabelled", "paused", "closed"],
)
def test_a_timeline_that_does_not_show_it_yet_is_waited_for_but_not_for_ever(
    lab: Lab, change: Callable[[Lab, int], None]
) -> None:
    number = lab.issue("experiment")
    timeline = f"/issues/{number}/timeline"
    before = json_answer(json.dumps(lab.ada.timeline(number)))
    change(lab, number)
    with lab.answering(timeline, before), pytest.raises(Lagging, match=f"timeline of #{number}") as lagging:
        look(lab, number)
    assert 0 < lagging.value.seconds < 10
    with lab.answering(timeline, before):
        assert look(lab, number, later=HOUR)
    load(lab, number)


def test_a_label_that_the_timeline_does_not_show_yet_is_waited_for(lab: Lab) -> None:
    number = lab.issue("experiment")
    with lab.answering("/timeline", EMPTY), pytest.raises(Lagging):
        look(lab, number)
    with lab.answering("/timeline", EMPTY):
        late = look(lab, number, later=HOUR)
    assert late
    assert late.authority is None


def test_an_issue_closed_and_reopened_agrees_with_its_timeline(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.close_issue(number)
    assert not load(lab, number).open
    lab.ada.reopen_issue(number)
    assert load(lab, number).open


@pytest.mark.parametrize("on_pull", [False, True])
def test_comments_that_are_not_all_there_are_waited_for_but_not_for_ever(lab: Lab, on_pull: bool) -> None:
    number = lab.issue("experiment")
    pull = begun(lab, number)
    thread = pull if on_pull else number
    lab.ada.comment(thread, "/help")
    comments = f"/issues/{thread}/comments"
    with lab.answering(comments, EMPTY), pytest.raises(Lagging, match=f"comments of #{thread}"):
        look(lab, number)
    with lab.answering(comments, EMPTY):
        x = look(lab, number, later=HOUR)
    assert x
    assert x.asked == ()
    assert names(load(lab, number)) == [("help", True)]


def test_a_training_that_the_list_shows_at_work_is_asked_for_itself(lab: Lab) -> None:
    number = lab.issue("experiment")
    begun(lab, number)
    [run] = load(lab, number).runs
    assert run.pull
    request = request_name(number, "1", run.folder.inputs, 1)
    told = {"pr": "1", "sha": run.pull.head, "request": request, "command": "true"}
    started = lab.gateway.dispatch(told)
    assert started
    lab.run(started.id)
    listed = [one for one in lab.ada.runs() if one["id"] == started.id]
    old = json.dumps({"total_count": 1, "workflow_runs": [{**listed[0], "status": "queued", "conclusion": None}]})
    with lab.answering("GET .*/actions/workflows/train.yml/runs", json_answer(old)):
        [training] = load(lab, number).runs[0].trainings
    assert (training.active, training.conclusion) == (False, "success")


def test_a_run_merged_while_we_looked_is_looked_at_again(lab: Lab) -> None:
    number = lab.issue("experiment")
    pull = begun(lab, number)

    def merge(call: Call) -> None:
        if call.method == "GET" and "/pulls?" in call.path:
            lab.github.faults.before = None
            lab.ada.merge(pull)

    with lab.before(merge), pytest.raises(Moved):
        look(lab, number)
    [run] = load(lab, number).runs
    assert run.pull
    assert run.pull.merged


def test_a_merged_run_whose_record_somebody_took_off_main_is_no_reason_to_look_for_ever(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.merge(begun(lab, number))
    main = lab.gateway.head("main")
    assert main
    lab.gateway.move_branch("main", lab.commit(main, {f"{home(number)}/{record_path('1')}": None}))
    x = load(lab, number)
    assert x.main.records == ()
    assert [run.id for run in x.runs] == ["1"]


# What it costs


def test_what_has_not_changed_is_not_sent_again(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.ada.merge(begun(lab, number))
    begun(lab, number, "2")
    x = load(lab, number)
    with lab.calls() as calls:
        assert load(lab, number) == x
    assert {call.status for call in calls if call.method == "GET"} == {304}
    assert len(paths(calls)) < 20


# Main and the branch


def base(lab: Lab, number: int, run: str, **others: str) -> None:
    """A run that wrote down where main was when it was born."""
    known = record(run, experiment=number, base=lab.gateway.head("main"))
    begun(lab, number, run, **{record_path(run): to_json(known)}, **others)


def test_a_branch_that_main_is_still_the_base_of_has_no_other(lab: Lab) -> None:
    number = lab.issue("experiment")
    base(lab, number, "1")
    x = load(lab, number)
    assert x.runs[0].base is None
    assert not x.runs[0].clashes(x.main)


def test_a_file_changed_on_both_sides_clashes_and_one_changed_on_either_does_not(lab: Lab) -> None:
    number = lab.issue("experiment")
    lab.push({f"{home(number)}/notes.txt": "old\n", f"{home(number)}/other.txt": "old\n"})
    base(lab, number, "1", **{"notes.txt": "branch\n"})
    lab.push({f"{home(number)}/other.txt": "main\n"})
    x = load(lab, number)
    assert x.runs[0].base
    assert not x.runs[0].clashes(x.main)
    lab.push({f"{home(number)}/notes.txt": "main\n"})
    x = load(lab, number)
    assert x.runs[0].clashes(x.main)


def test_a_base_that_nobody_knows_is_none(lab: Lab) -> None:
    number = lab.issue("experiment")
    begun(lab, number, **{record_path("1"): to_json(record(experiment=number, base="f" * 40))})
    lab.push({"elsewhere.txt": f"{number}\n"})
    assert load(lab, number).runs[0].base is None


def test_whether_it_can_be_merged_is_asked_of_the_pull_request_itself(lab: Lab) -> None:
    number = lab.issue("experiment")
    pull = begun(lab, number)
    for answer in (None, False, True):
        shown = json_answer(json.dumps({**lab.ada.pull(pull), "mergeable": answer}))
        with lab.answering(f"GET .*/pulls/{pull}$", shown):
            [run] = load(lab, number).runs
        assert run.pull
        assert run.pull.mergeable is answer


def test_a_run_opened_again_does_not_hide_its_successor(lab: Lab) -> None:
    number = lab.issue("experiment")
    first = begun(lab, number)
    lab.ada.close_pull(first)
    begun(lab, number, "2")
    lab.ada.reopen_pull(first)
    x = load(lab, number)
    assert [(run.id, run.open) for run in x.runs] == [("1", True), ("2", True)]


# Who may


@pytest.mark.parametrize(("login", "may"), [("mallory", False), ("grace", True), (None, True)])
def test_a_text_changed_after_the_label_counts_only_from_somebody_who_may(
    lab: Lab, login: str | None, may: bool
) -> None:
    number = lab.issue("experiment")
    with lab.answering("/graphql", edited(login, datetime.now(UTC) + HOUR)):
        authority = load(lab, number).authority
    assert authority
    assert (authority.may, authority.edited_by) == (may, None if may else login)


def edited(login: str | None, at: datetime) -> Answer:
    issue = {"lastEditedAt": at.isoformat() if login else None, "editor": login and {"login": login}}
    return json_answer(json.dumps({"data": {"repository": {"issue": issue}}}))


def test_a_text_changed_before_the_label_was_set_is_what_was_labelled(lab: Lab) -> None:
    number = lab.issue("experiment")
    with lab.answering("/graphql", edited("mallory", datetime.now(UTC) - HOUR)):
        authority = load(lab, number).authority
    assert authority
    assert authority.may


def test_once_the_idea_is_frozen_nobody_asks_who_edited_it(lab: Lab) -> None:
    number = lab.issue("experiment")
    begun(lab, number)
    with lab.calls() as calls:
        load(lab, number)
    assert [call.path for call in calls if "graphql" in call.path] == []


# An issue that is gone


def test_of_an_issue_that_is_gone_its_runs_are_known(lab: Lab) -> None:
    number = lab.issue("experiment")
    pull = begun(lab, number)
    lab.gateway.comment(pull, "Said.")
    x = Loader(lab.gateway).load_gone(number, "It was deleted.")
    assert x
    assert (x.gone, x.open, x.labels, x.authority, x.acting) == ("It was deleted.", False, frozenset(), None, True)
    [run] = x.runs
    assert run.pull
    assert (run.pull.number, [comment.body for comment in run.comments]) == (pull, ["Said."])


def test_a_number_that_never_had_a_run_is_nothing(lab: Lab) -> None:
    assert Loader(lab.gateway).load_gone(lab.issue("experiment"), "It was deleted.") is None
