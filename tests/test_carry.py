"""What a closed run leaves to the next pull request: all that was learnt, and none of its code."""

from dataclasses import replace

import pytest

from bot.carry import Carried, carry
from bot.documents import render_log, render_tasks
from bot.experiment import Experiment, Pull, Run
from bot.folder import CODE, IDEA, LOG, PLAN, REPORT, TASKS, Entry, Folder, blob_sha, plot_path, record_path
from bot.records import Conclusion, Discarded, Record, from_json, to_json
from tests.values import (
    METRIC,
    NOTHING,
    PLAN_TEXT,
    analysis,
    closed,
    conclusion,
    experiment,
    merged,
    pull,
    record,
    result_of,
    run,
)  # fmt: skip

BIRTH = {IDEA: "# Idea\n", PLAN: PLAN_TEXT, TASKS: "# Tasks\n\n- [ ] A\n- [ ] B\n", LOG: "# Log\n", CODE: "main()\n"}
REVISED = PLAN_TEXT.replace("Fit it.", "Fit it slowly.")
PNG = b"\x89PNG of run "


def at(texts: dict[str, str], *records: Record, plots: tuple[str, ...] = ()) -> Folder:
    """The folder as a commit has it, with everything in its tree."""
    files = {**texts, **{record_path(one.run): to_json(one) for one in records}}
    entries = {name: Entry("100644", blob_sha(text.encode())) for name, text in files.items()}
    entries |= {plot_path(one): Entry("100644", f"png-{one}") for one in plots}
    return Folder("c" * 40, "experiments/1-fit", entries, texts, records)


def analysed(**tasks: list[str]) -> Conclusion:
    return conclusion(attempt="72.1", analysis=analysis(tasks=tasks))


def second(**changes: object) -> Record:
    """Run 2 with a result, born with main's plan."""
    return result_of("2", **({"plan": blob_sha(PLAN_TEXT.encode())} | changes))


def of(one: Record, texts: dict[str, str] | None = None, *, how: Pull, also: tuple[Record, ...] = ()) -> Run:
    """The run of this record, on a branch with code of its own."""
    folder = at({**BIRTH, CODE: f"run_{one.run}()\n", **(texts or {})}, *also, one, plots=(one.run,))
    return run(id=one.run, folder=folder, pull=how)


def lab(*runs: Run, main: Folder | None = None) -> Experiment:
    return experiment(*runs, main=main or at(BIRTH, result_of("1")))


def carried(x: Experiment, *settled: Record) -> Carried:
    """`settled` are the records that differ from what the experiment knows: their training has ended since."""
    late = {one.run: one for one in settled}
    return carry(
        x,
        settle=lambda one: late.get(one.id) or x.record(one.id),
        blob=lambda sha: PNG + sha.removeprefix("png-").encode(),
    )


def read(found: Carried, name: str) -> Record:
    text = found.files[record_path(name)]
    assert isinstance(text, str)
    return from_json(text)


def test_with_nothing_closed_there_is_nothing_to_carry() -> None:
    x = lab(of(result_of("1"), how=merged(11)), of(second(), how=pull(12)))
    found = carried(x)
    assert (found.files, found.news, found.folder) == ({}, (), x.main)
    assert [one.run for one in found.records] == ["1", "2"]


def test_a_discarded_run_leaves_record_and_plot_and_not_its_code() -> None:
    found = carried(lab(of(second(), how=closed(12))))
    assert set(found.files) == {record_path("2"), plot_path("2")}
    assert found.files[plot_path("2")] == PNG + b"2"
    assert found.folder.text(CODE) == "main()\n"
    assert found.folder.inputs_with({n: t for n, t in found.files.items() if isinstance(t, str)}) == found.folder.inputs


def test_its_record_says_that_it_was_discarded() -> None:
    found = carried(lab(of(second(pull=None), how=closed(12))))
    one = read(found, "2")
    assert one.discarded == Discarded(reason="The pull request was closed without merging.")
    assert (one.pull, one.conclusion) == (12, second().conclusion)
    assert found.news == (one,)
    assert found.records == (result_of("1"), one)


def test_its_tasks_are_changed_on_main_s_list_as_it_is_now() -> None:
    by_hand = {**BIRTH, TASKS: "# Tasks\n\n- [ ] A\n- [ ] B\n- [ ] By hand\n"}
    theirs = {TASKS: "# Tasks\n\n- [x] A\n- [ ] Something else\n"}
    x = lab(of(second(conclusion=analysed(done=["A"], dropped=["B"])), theirs, how=closed(12)), main=at(by_hand))
    assert carried(x).files[TASKS] == "# Tasks\n\n- [x] A\n- [ ] By hand\n"


def test_a_run_without_a_plot_leaves_none() -> None:
    bare = run(id="2", folder=at(BIRTH, second()), pull=closed(12))
    assert set(carried(lab(bare)).files) == {record_path("2")}


def test_closed_before_its_result_it_leaves_a_record_without_one() -> None:
    found = carried(lab(of(record("2"), how=closed(12))))
    assert (read(found, "2").conclusion, bool(read(found, "2").discarded)) == (None, True)
    assert TASKS not in found.files


def test_a_result_that_came_after_closing_is_carried_too() -> None:
    found = carried(lab(of(record("2"), how=closed(12))), second(conclusion=analysed(done=["A"])))
    assert read(found, "2").value == 2.0
    assert "- [x] A" in found.folder.text(TASKS)


@pytest.mark.parametrize("broken", [Run("2", at(BIRTH), closed(12)), Run("2", NOTHING, closed(12))])
def test_a_run_that_lost_its_record_leaves_nothing(broken: Run) -> None:
    found = carried(lab(broken))
    assert (found.files, found.news) == ({}, ())


# Merged


def test_what_main_knows_already_is_not_carried_again() -> None:
    on_main = at(BIRTH, result_of("1"), second(discarded=Discarded(reason="Closed.")))
    runs = (of(result_of("1"), how=merged(11)), of(second(), how=closed(12)))
    assert carried(lab(*runs, main=on_main)).files == {}


def test_merged_before_its_result_it_leaves_the_result_and_is_not_discarded() -> None:
    early = record("2")
    x = lab(of(early, how=merged(12)), main=at(BIRTH, result_of("1"), early))
    found = carried(x, second(conclusion=analysed(done=["A"], added=["C"])))
    assert (read(found, "2").value, read(found, "2").discarded) == (2.0, None)
    assert found.files[TASKS] == "# Tasks\n\n- [x] A\n- [ ] B\n- [ ] C\n"


def test_main_s_plan_stays_after_a_merge_whatever_the_branch_had() -> None:
    early = record("2", plan=blob_sha(PLAN_TEXT.encode()))
    x = lab(of(early, {PLAN: REVISED}, how=merged(12)), main=at(BIRTH, early))
    assert PLAN not in carried(x, second()).files


# The plan


def test_a_plan_revised_on_a_discarded_branch_comes_along_with_its_tasks() -> None:
    theirs = {PLAN: REVISED, TASKS: "# Tasks\n\n- [ ] New\n"}
    found = carried(lab(of(second(conclusion=analysed(done=["A"])), theirs, how=closed(12))))
    assert (found.files[PLAN], found.files[TASKS]) == (REVISED, theirs[TASKS])
    assert found.folder.text(PLAN) == REVISED


def test_main_s_plan_edited_meanwhile_wins_over_a_revised_one() -> None:
    edited = at({**BIRTH, PLAN: PLAN_TEXT.replace("Fit it.", "Fit it by hand.")}, result_of("1"))
    theirs = {PLAN: REVISED, TASKS: "# Tasks\n\n- [ ] New\n"}
    found = carried(lab(of(second(conclusion=analysed(done=["A"])), theirs, how=closed(12)), main=edited))
    assert PLAN not in found.files
    assert found.files[TASKS] == "# Tasks\n\n- [x] A\n- [ ] B\n"


def test_a_run_that_does_not_know_its_plan_replaces_none() -> None:
    found = carried(lab(of(second(plan=None), {PLAN: REVISED}, how=closed(12))))
    assert PLAN not in found.files


def test_without_a_plan_anywhere_there_is_none() -> None:
    bare = {TASKS: "- [ ] A\n"}
    x = lab(run(id="2", folder=at(bare, second()), pull=closed(12)), main=at(bare))
    assert set(carried(x).files) == {record_path("2")}


# The first run


def test_the_first_run_discarded_leaves_every_document_but_its_code() -> None:
    one = result_of("1", plan=blob_sha(PLAN_TEXT.encode()))
    texts = {REPORT: "# Ours\n", TASKS: "# Tasks\n\n- [x] A\n- [ ] B\n"}
    found = carried(lab(of(one, texts, how=closed(11)), main=NOTHING))
    assert {name: found.files[name] for name in (IDEA, PLAN, TASKS, LOG)} == {
        **{name: BIRTH[name] for name in (IDEA, PLAN, LOG)},
        TASKS: texts[TASKS],
    }
    assert set(found.files) == {IDEA, PLAN, TASKS, LOG, record_path("1"), plot_path("1")}
    assert found.folder.text(CODE) == ""


def test_the_first_run_s_late_result_changes_its_tasks() -> None:
    early = record("1")
    late = result_of("1", conclusion=conclusion(analysis=analysis(tasks={"done": ["A"]})))
    found = carried(lab(of(early, how=closed(11)), main=NOTHING), late)
    assert "- [x] A" in found.folder.text(TASKS)


# Several in a row


def test_several_discarded_in_a_row_are_all_carried_in_order() -> None:
    two = second(conclusion=analysed(done=["A"]))
    three = result_of("3", conclusion=conclusion(attempt="73.1", analysis=analysis(tasks={"added": ["C"]})))
    found = carried(
        lab(of(two, how=closed(12)), of(three, {TASKS: "# Tasks\n\n- [x] A\n- [ ] B\n- [ ] C\n"}, how=closed(13)))
    )
    assert [one.run for one in found.news] == ["2", "3"]
    assert [bool(one.discarded) for one in found.records] == [False, True, True]
    assert {plot_path("2"), plot_path("3"), record_path("2"), record_path("3")} <= set(found.files)
    assert found.files[TASKS] == "# Tasks\n\n- [x] A\n- [ ] B\n- [ ] C\n"


def test_the_first_runs_discarded_one_after_the_other_leave_the_latest_log_and_plan() -> None:
    one = result_of("1", plan=blob_sha(PLAN_TEXT.encode()))
    two = result_of("2", plan=blob_sha(PLAN_TEXT.encode()))
    known = replace(of(one, how=closed(11)))
    later = {LOG: "# Log\n\n## Run 1\n\nDiscarded.\n", PLAN: REVISED, IDEA: "# Another idea\n"}
    found = carried(lab(known, of(two, later, how=closed(12), also=(one,)), main=NOTHING))
    assert (found.files[LOG], found.files[PLAN], found.files[IDEA]) == (later[LOG], REVISED, BIRTH[IDEA])


def test_a_plan_revised_twice_on_discarded_branches_is_the_last_one() -> None:
    again = REVISED.replace("slowly", "very slowly")
    two, three = second(), result_of("3", plan=blob_sha(REVISED.encode()))
    found = carried(lab(of(two, {PLAN: REVISED}, how=closed(12)), of(three, {PLAN: again}, how=closed(13))))
    assert found.files[PLAN] == again


def test_after_a_revised_plan_was_carried_a_later_branch_that_kept_it_changes_its_tasks_only() -> None:
    theirs = {PLAN: REVISED, TASKS: render_tasks([("New", False)])}
    three = result_of(
        "3",
        plan=blob_sha(REVISED.encode()),
        conclusion=conclusion(attempt="73.1", analysis=analysis(tasks={"done": ["New"]})),
    )
    found = carried(lab(of(second(), theirs, how=closed(12)), of(three, theirs, how=closed(13))))
    assert (found.files[PLAN], found.files[TASKS]) == (REVISED, "# Tasks\n\n- [x] New\n")


def test_merged_after_a_discarded_one_only_the_discarded_one_is_news() -> None:
    three = result_of("3")
    x = lab(of(second(), how=closed(12)), of(three, how=merged(13)), main=at(BIRTH, result_of("1"), three))
    assert [one.run for one in carried(x).news] == ["2"]


def test_what_was_carried_is_told_in_the_log() -> None:
    found = carried(lab(of(second(), how=closed(12))))
    log = render_log(found.folder.text(LOG), found.records, title="Fit it", metric=METRIC, news=found.news)
    assert "| improved, discarded |" in log
    assert "**improved**, **discarded** in #12: The pull request was closed without merging." in log
    assert "Best: run 1." in log
