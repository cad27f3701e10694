"""An experiment, rebuilt from a GitHub that anybody may have written to."""

import json
import shlex
from collections.abc import Iterator

import pytest

from bot.errors import ArtifactError, NotFound
from bot.events import branch_of, report_branch, request_name
from bot.experiment import Experiment, Training
from bot.folder import PLAN, record_path
from bot.load import Loader, read_artifact
from bot.pieces import bound_mark, mark, reply_mark
from bot.records import to_json
from runner.result import Status
from tests.lab import Lab
from tests.values import PLAN_TEXT, SOURCE, attempt, record, result, result_of


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.person("mallory", role="triage")
    lab.person("grace", role="write")
    yield lab
    lab.end()


def load(lab: Lab, number: int) -> Experiment:
    return Loader(lab.gateway).load(number, dollars=0.5)


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
    lab.gateway.open_pull(branch=branch, title="Run", body="")
    return lab.gateway.pulls_from(branch)[0].number


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


def test_without_a_label_there_is_no_authority(lab: Lab) -> None:
    assert load(lab, lab.issue()).authority is None


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
    assert "Mend it on main" in broken.config_error
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


def test_an_artifact_s_texts_may_hold_any_bytes() -> None:
    good = result().to_json().encode()
    found = read_artifact({"result.json": good, "digest.md": b"\xff\0", "metrics.jsonl": b"\xff\n{\n"})
    assert (found.result, found.points) == (result(), ())


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[" * 10_000, json.dumps({"version": 1}).encode()])
def test_a_result_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"Its result\.json is not valid"):
        read_artifact({"result.json": content})
    with pytest.raises(ArtifactError, match=r"It has no result\.json"):
        read_artifact({"digest.md": content})
