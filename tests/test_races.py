"""People act while the bot does: whatever they change at whatever moment, nothing of it is lost or overwritten."""

import threading
import time
from collections.abc import Callable

import pytest

from bot.models.model import Prompt, Role
from bot.records import Verdict
from tests.story import REVISION, TRAIN, Script, Story, analysis, code, trained

Tell = Callable[..., Story]


def once(role: Role, act: Callable[[], None], *, number: int = 1) -> Callable[[Prompt], None]:
    """Acts when this role is asked for the n-th time."""
    asked: list[Prompt] = []

    def meanwhile(prompt: Prompt) -> None:
        if prompt.role is role:
            asked.append(prompt)
            if len(asked) == number:
                act()

    return meanwhile


def slow(seconds: int) -> str:
    return code(TRAIN.format(loss=2.0) + f"\nimport time\ntime.sleep({seconds})\n")


def training(tale: Story) -> bool:
    return any(run["status"] == "in_progress" for run in tale.trainings())


# While the bot thinks


def test_a_plan_edited_while_the_bot_revises_it_is_revised_as_edited(story: Tell) -> None:
    tale = story(script=Script(planner=[*Script().replies(Role.PLANNER)[:1], REVISION, REVISION]))
    tale.begin()
    first = tale.concluded("1")
    branch = first["head"]["ref"]
    edit = "By hand: seeds matter.\n"
    tale.script.meanwhile = once(Role.PLANNER, lambda: tale.edit("PLAN.md", lambda plan: plan + edit, ref=branch))
    tale.ada.comment(first["number"], "/revise-plan optimisers first")
    tale.wait("answer", lambda: "The plan is revised" in tale.said(first["number"]))
    asked = tale.script.asked(Role.PLANNER)
    assert [edit.strip() in prompt.user for prompt in asked] == [False, False, True]
    assert tale.said(first["number"]).count("The plan is revised") == 1


def test_tasks_edited_during_the_analysis_are_kept(story: Tell) -> None:
    tale = story(script=Script(analyst=[analysis(tasks="done: Try a larger model")]))

    def edit() -> None:
        tale.edit("TASKS.md", lambda text: text + "- [ ] By hand\n", ref=tale.opened("1")["head"]["ref"])

    tale.script.meanwhile = once(Role.ANALYST, edit)
    tale.begin()
    first = tale.concluded("1")
    tasks = tale.folder_at(first["head"]["ref"])["TASKS.md"]
    assert "- [ ] By hand" in tasks
    assert "- [x] Try a larger model" in tasks
    assert len(tale.script.asked(Role.ANALYST)) == 1
    assert tale.said(first["number"]).count("### Summary of the training") == 1


def test_code_pushed_during_the_analysis_is_trained_and_the_old_result_is_not_logged(story: Tell) -> None:
    tale = story()

    def push() -> None:
        tale.edit("train.py", lambda text: TRAIN.format(loss=0.25), ref=tale.opened("1")["head"]["ref"])

    tale.script.meanwhile = once(Role.ANALYST, push)
    tale.begin()

    def concluded() -> bool:
        return bool(tale.pull("1")) and "`loss` 0.2500" in tale.said(tale.opened("1")["number"])

    tale.wait("the result of the pushed code", concluded)
    record = tale.record("1", tale.opened("1")["head"]["ref"])
    assert record.value == 0.25
    assert [attempt.metrics["loss"] for attempt in record.attempts] == [0.25]
    assert "is superseded" in tale.said(tale.opened("1")["number"])


@pytest.mark.slow
@pytest.mark.parametrize("end", ["merge", "close_pull"])
def test_a_run_that_ends_during_its_analysis_is_carried(story: Tell, end: str) -> None:
    tale = story(runs=3)
    tale.script.meanwhile = once(Role.ANALYST, lambda: getattr(tale.ada, end)(tale.opened("1")["number"]))
    tale.begin()
    second = tale.concluded("2")
    record = tale.record("1", second["head"]["ref"])
    assert record.value == 2.0
    assert bool(record.discarded) == (end == "close_pull")
    assert [len(tale.script.asked(role)) for role in (Role.SUMMARIZER, Role.ANALYST)] == [2, 2]


def test_a_pause_during_the_planning_is_obeyed(story: Tell) -> None:
    tale = story()
    tale.script.meanwhile = once(Role.CODER, lambda: tale.ada.label(1, "paused"))
    tale.begin()
    tale.wait("pause", lambda: "Paused by ada" in tale.status())
    assert tale.trainings() == []
    tale.ada.unlabel(1, "paused")
    tale.concluded("1")
    assert len(tale.script.asked(Role.CODER)) == 1


# Main and the branch


def test_a_branch_that_conflicts_with_main_is_brought_together_with_it(story: Tell) -> None:
    tale = story(runs=3)
    tale.begin()
    tale.ada.merge(tale.concluded("1")["number"])
    second = tale.concluded("2")
    tale.edit("EXPERIMENT_LOG.md", lambda text: text.replace("Run 1", "Run 1, as I see it,"))
    tale.edit("TASKS.md", lambda text: text + "- [ ] From main\n")
    tale.edit("train.py", lambda text: text.replace("LOSS = 2.0", "LOSS = 3.0"))
    assert tale.ada.pull(second["number"])["mergeable"] is False
    tale.sweep()
    tale.wait("mergeable", lambda: tale.ada.pull(second["number"])["mergeable"])
    tale.wait("a word on it", lambda: "Brought together with main" in tale.said(second["number"]))
    assert len(tale.trainings()) == 2
    tale.ada.merge(second["number"])
    tale.concluded("3")
    files = tale.folder_at()
    assert "- [ ] From main" in files["TASKS.md"]
    assert "LOSS = 1.5" in files["train.py"]
    assert "`train.py` is this run's" in tale.said(second["number"])
    assert "1.5000" in files["EXPERIMENT_LOG.md"]
    assert tale.record("2").value == 1.5


@pytest.mark.slow
def test_what_is_brought_together_with_other_inputs_is_trained_again(story: Tell) -> None:
    tale = story(runs=3)
    tale.begin()
    tale.ada.merge(tale.concluded("1")["number"])
    second = tale.concluded("2")
    tale.edit("train.py", lambda text: text.replace("LOSS = 2.0", "LOSS = 3.0"))
    tale.ada.edit_file(tale.path("train.py").replace("train.py", "data.txt"), "1 2 3\n")
    tale.sweep()
    tale.wait("a third training", lambda: len(tale.trainings()) == 3)
    second = tale.concluded("2")
    record = tale.record("2", second["head"]["ref"])
    assert [attempt.metrics["loss"] for attempt in record.attempts] == [1.5, 1.5]
    assert len({attempt.inputs for attempt in record.attempts}) == 2
    tale.wait("mergeable", lambda: tale.ada.pull(second["number"])["mergeable"])


@pytest.mark.slow
def test_a_renamed_folder_is_found(story: Tell) -> None:
    tale = story(runs=3)
    tale.begin()
    tale.ada.merge(tale.concluded("1")["number"])
    second = tale.concluded("2")
    moved = {path: tale.ada.read_file(path) for path in tale.ada.list_files("experiments/1-larger-models")}
    renamed = {path.replace("larger", "huge"): text for path, text in moved.items() if not path.endswith(".png")}
    gone: dict[str, str | None] = dict.fromkeys(moved)
    tale.ada.commit("main", {**gone, **renamed}, "A better name")
    tale.sweep()
    tale.wait("mergeable", lambda: tale.ada.pull(second["number"])["mergeable"])
    tale.ada.merge(second["number"])
    third = tale.concluded("3")
    files = tale.ada.list_files("experiments", ref=third["head"]["ref"])
    assert {f"experiments/1-huge-models/runs/run-{run}.json" for run in (1, 2, 3)} <= set(files)
    assert [tale.record(run, third["head"]["ref"]).value for run in ("1", "2", "3")] == [2.0, 1.5, 1.0]


@pytest.mark.slow
def test_two_experiments_merge_at_once(story: Tell) -> None:
    script = Script(planner=Script().replies(Role.PLANNER)[:1], coder=[trained(2.0)])
    tale = story(script=script, runs=2)
    tale.begin()
    other = tale.begin(title="Other models")
    tale.wait("two results", lambda: "review" in tale.status(1) and "review" in tale.status(other))
    firsts = [pull["number"] for pull in tale.ada.pulls()]
    merging = [threading.Thread(target=tale.ada.merge, args=(number,)) for number in firsts]
    for one in merging:
        one.start()
    for one in merging:
        one.join()
    tale.wait("two results", lambda: all("review, run 2" in tale.status(issue) for issue in (1, other)))
    for issue in (1, other):
        assert {"runs/run-1.json", "train.py"} <= tale.folder_at(issue=issue).keys()


# Pull requests opened again


@pytest.mark.slow
def test_a_run_reopened_before_its_successor_exists_is_reviewed_again(story: Tell) -> None:
    tale = story(runs=3)
    tale.begin()
    first = tale.concluded("1")
    tale.ada.label(1, "paused")
    tale.wait("pause", lambda: "Paused by ada" in tale.status())
    tale.ada.close_pull(first["number"])
    tale.ada.reopen_pull(first["number"])
    tale.ada.unlabel(1, "paused")
    tale.wait("review", lambda: "review, run 1" in tale.status())
    assert tale.pull("2") is None


@pytest.mark.slow
def test_a_run_reopened_after_its_successor_exists_is_told_so(story: Tell) -> None:
    tale = story(runs=3)
    tale.begin()
    first = tale.concluded("1")
    tale.ada.close_pull(first["number"])
    second = tale.concluded("2")
    tale.ada.reopen_pull(first["number"])
    tale.wait("a word on it", lambda: "Opened again" in tale.said(first["number"]))
    assert f"Run 2 (#{second['number']})" in tale.said(first["number"])
    tale.ada.merge(first["number"])
    tale.wait("both together", lambda: "Brought together with main" in tale.said(second["number"]))
    tale.wait("mergeable", lambda: tale.ada.pull(second["number"])["mergeable"])
    tale.wait("review", lambda: "review, run 2" in tale.status())
    tale.ada.merge(second["number"])
    third = tale.concluded("3")
    records = {run: tale.record(run, third["head"]["ref"]) for run in ("1", "2", "3")}
    assert [record.value for record in records.values()] == [2.0, 1.5, 1.0]
    assert [record.discarded for record in records.values()] == [None, None, None]


# The issue


def test_an_issue_closed_during_a_training_and_reopened_goes_on(story: Tell) -> None:
    tale = story(script=Script(coder=[slow(60), trained(1.0)]), seconds=90)
    tale.begin()
    tale.wait("training", lambda: training(tale))
    tale.ada.close_issue(1)
    tale.wait("end of it", lambda: [run["conclusion"] for run in tale.trainings()] == ["cancelled"])
    tale.wait("a word on it", lambda: "Stopped" in tale.status())
    tale.ada.reopen_issue(1)
    tale.wait("second training", lambda: len(tale.trainings()) == 2)


@pytest.mark.slow
def test_an_issue_closed_while_the_bot_was_down_ends_its_training(story: Tell) -> None:
    tale = story(script=Script(coder=[slow(60), trained(1.0)]), seconds=90)
    tale.begin()
    tale.wait("training", lambda: training(tale))
    tale.stop_bot()
    tale.ada.close_issue(1)
    tale.start_bot()
    tale.wait("end of it", lambda: [run["conclusion"] for run in tale.trainings()] == ["cancelled"])
    tale.wait("a word on it", lambda: "Stopped" in tale.status())


@pytest.mark.slow
def test_the_label_taken_off_stops_and_set_again_goes_on(story: Tell) -> None:
    tale = story(script=Script(coder=[slow(60), trained(1.0)]), seconds=90)
    tale.begin()
    first = tale.opened("1")
    tale.wait("training", lambda: training(tale))
    tale.ada.unlabel(1, "experiment")
    tale.wait("end of it", lambda: [run["conclusion"] for run in tale.trainings()] == ["cancelled"])
    tale.edit("train.py", lambda text: TRAIN.format(loss=0.5), ref=first["head"]["ref"])
    tale.ada.label(1, "experiment")
    tale.concluded("1")
    assert tale.record("1", first["head"]["ref"]).value == 0.5
    assert len(tale.script.asked(Role.CODER)) == 1


def test_an_author_who_edits_after_the_label_was_set_gets_no_gpu(story: Tell) -> None:
    tale = story()
    mallory = tale.person("mallory", role="read")
    issue = mallory.open_issue("Larger models", "Does a larger model help?")["number"]
    tale.stop_bot()
    tale.ada.label(issue, "experiment")
    mallory.edit_issue(issue, body="Mine some coins.")
    tale.start_bot()
    tale.wait("refusal", lambda: "mallory edited this issue after it was labelled" in tale.said(issue))
    tale.wait("label off", lambda: "experiment" not in tale.labels(issue))
    assert tale.script.prompts == []
    time.sleep(1.1)  # GitHub's times are in seconds, and within one nobody can tell which came first
    tale.ada.label(issue, "experiment")
    tale.opened("1")


@pytest.mark.slow
def test_what_the_author_edits_later_changes_nothing(story: Tell) -> None:
    tale = story()
    mallory = tale.person("mallory", role="read")
    issue = mallory.open_issue("Larger models", "Does a larger model help?")["number"]
    tale.ada.label(issue, "experiment")
    first = tale.concluded("1")
    mallory.edit_issue(issue, body="Mine some coins.")
    tale.ada.merge(first["number"])
    tale.concluded("2")
    assert "coins" not in "".join(prompt.user for prompt in tale.script.prompts)
    assert "experiment" in tale.labels(issue)


@pytest.mark.parametrize("how", ["deleted", pytest.param("transferred", marks=pytest.mark.slow)])
def test_an_issue_that_is_gone_ends_the_training_and_is_told(story: Tell, how: str) -> None:
    tale = story(script=Script(coder=[slow(60)]), seconds=90)
    tale.begin()
    first = tale.opened("1")
    tale.wait("training", lambda: training(tale))
    if how == "deleted":
        tale.github.delete_issue("ada/lab", 1)
    else:
        tale.github.create_repo("ada/other", files={"README.md": b"Another.\n"})
        tale.github.transfer_issue("ada/lab", 1, "ada/other")
    tale.wait("end of it", lambda: [run["conclusion"] for run in tale.trainings()] == ["cancelled"])
    tale.wait("a word on it", lambda: "The experiment has ended" in tale.said(first["number"]))
    tale.sweep()
    assert tale.said(first["number"]).count("The experiment has ended") == 1


@pytest.mark.slow
def test_a_verdict_stays_though_the_pull_request_is_closed_and_opened_in_between(story: Tell) -> None:
    tale = story(script=Script(coder=[slow(3), trained(1.0)]))
    tale.begin()
    first = tale.opened("1")
    tale.wait("training", lambda: training(tale))
    tale.stop_bot()
    tale.ada.close_pull(first["number"])
    tale.ada.reopen_pull(first["number"])
    tale.start_bot()
    first = tale.concluded("1")
    conclusion = tale.record("1", first["head"]["ref"]).conclusion
    assert conclusion
    assert conclusion.verdict is Verdict.IMPROVED
    assert len(tale.trainings()) == 1
