"""decide: one situation, one action. And what it never does, whatever the situation."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.experiment import (
    A_RUNNER,
    AGAIN,
    EVER,
    EXPERIMENT,
    GRACE,
    LAG,
    MAX_LOST,
    PAUSED,
    SECOND,
    UNSTARTED,
    Action,
    Answer,
    Authority,
    Begin,
    Cancel,
    Check,
    Close,
    Comment,
    Conclude,
    Dispatch,
    Experiment,
    OpenPull,
    Pause,
    Pull,
    Rebuild,
    Refuse,
    Repair,
    Repeat,
    Report,
    RevisePlan,
    Run,
    Stage,
    Training,
    Wait,
    decide,
    stage,
)
from bot.folder import Entry, Folder
from bot.records import Discarded, Metric, Next, to_json
from bot.records import Repair as Mend
from runner.result import Status
from tests.values import (
    INPUTS,
    LONG_AGO,
    MAIN_ONE,
    METRIC,
    NOTHING,
    NOW,
    SOURCE,
    analysis,
    artifact,
    asked,
    attempt,
    closed,
    concluded,
    conclusion,
    ended,
    experiment,
    folder,
    merged,
    pull,
    record,
    report,
    result_of,
    run,
    training,
)

T = TypeVar("T")
HELD = frozenset({EXPERIMENT, PAUSED})
PAID = (Begin, Repair, Conclude, RevisePlan, Report)
OLD: dict[str, Any] = {"inputs": "0" * 12}
LATER = NOW + timedelta(days=9)
MERGED_ONE = concluded(pull=merged())


def of(action: type[Action], situation: Experiment, *, now: datetime = NOW) -> Any:
    """The action, which has to be of this kind."""
    found = decide(situation, now)
    assert isinstance(found, action), found
    return found


def attempts(**last: Any) -> Run:
    """Run 1 after a training that ended like this."""
    return run(ended(artifact=artifact(**last)))


# Before the first run


def test_a_new_experiment_begins_with_run_1_for_the_cause_of_its_start() -> None:
    assert decide(experiment(), NOW) == Begin("1", "event-5")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"open": False}, "The issue is closed."),
        ({"labels": frozenset()}, "The label `experiment` is off."),
        ({"config_error": "`budget` is odd."}, "`budget` is odd."),
        ({"labels": HELD}, "Take the label `paused` off to go on."),
    ],
)
def test_it_waits_while_it_is_not_to_go_on(changes: dict[str, Any], why: str) -> None:
    assert of(Wait, experiment(**changes)).why == why


def test_what_a_maintainer_has_to_mend_is_looked_at_again() -> None:
    assert of(Wait, experiment(config_error="It is broken.")).until == NOW + AGAIN


@pytest.mark.parametrize(
    ("authority", "says"),
    [
        (None, "Nobody could be found"),
        (Authority("mallory", False, 5), "mallory has no write permission"),
        (Authority("ada", False, 5, edited_by="eve"), "eve edited this issue after it was labelled"),
    ],
)
def test_without_authority_it_is_refused(authority: Authority | None, says: str) -> None:
    assert says in of(Refuse, experiment(authority=authority)).reason


# A run on its way


def test_a_branch_gets_its_pull_request() -> None:
    branch = run(pull=None)
    assert decide(experiment(branch), NOW) == OpenPull(branch)


def test_untrained_inputs_are_trained() -> None:
    assert decide(experiment(run()), NOW) == Dispatch(run(), INPUTS, 1)


def test_a_training_at_work_is_waited_for_until_it_must_have_ended() -> None:
    at_work = experiment(run(training()))
    wait = of(Wait, at_work)
    assert (wait.for_whom, wait.until) == ("the runner", training().deadline(at_work.config.runner))
    assert of(Cancel, at_work, now=wait.until) == Cancel(training(), "It did not end in time.")
    assert wait.until - training().created > timedelta(seconds=at_work.config.runner.limit)


@pytest.mark.parametrize("status", ["queued", "waiting", "pending", "requested"])
def test_a_training_that_no_runner_takes_is_said_after_a_while_and_cancelled_in_the_end(status: str) -> None:
    queued = training(status=status)
    x = experiment(run(queued))
    first = of(Wait, x)
    assert (first.for_whom, first.until) == ("the runner", queued.created + UNSTARTED)
    second = of(Wait, x, now=first.until)
    assert (second.for_whom, second.until) == (A_RUNNER, queued.deadline(x.config.runner))
    assert f"No runner has taken [the training]({queued.url}) for 10 minutes." in second.why
    assert "`self-hosted`, `gpu`" in second.why
    of(Cancel, x, now=second.until)


def test_a_training_taken_late_is_waited_for() -> None:
    taken = training(created=NOW - timedelta(hours=3))
    assert of(Wait, experiment(run(taken))).for_whom == "the runner"
    assert of(Wait, experiment(run(replace(taken, status="queued")))).for_whom == A_RUNNER


def test_how_long_a_training_may_wait_for_a_runner_is_the_lab_s_choice() -> None:
    queued, runner = training(status="queued"), {"queue_minutes": 60, "seconds": 60}
    wait = of(Wait, experiment(run(queued), config={"runner": runner}), now=NOW + UNSTARTED)
    assert wait.until == queued.created + timedelta(minutes=60, seconds=150) + GRACE


def test_a_training_that_was_out_of_time_is_repeated_and_no_person_asked() -> None:
    """What was cancelled by a person is another matter: that waits for a person."""
    cancelled = ended(created=LONG_AGO, updated=NOW - timedelta(hours=1), conclusion="cancelled")
    assert of(Dispatch, experiment(run(cancelled))).ordinal == 2
    of(Pause, experiment(run(replace(cancelled, created=NOW - timedelta(hours=2)))))


# A result on its way

JUST_NOW = NOW - timedelta(seconds=1)


@pytest.mark.parametrize("pulled", [pull(), merged()])
def test_a_result_that_is_not_listed_yet_is_waited_for_but_not_for_ever(pulled: Pull) -> None:
    last = ended(updated=JUST_NOW)
    x = experiment(run(last, pull=pulled))
    wait = of(Wait, x)
    assert (wait.for_whom, wait.until) == ("GitHub", JUST_NOW + LAG + SECOND)
    assert f"[The training]({last.url}) has ended" in wait.why
    of(Dispatch if pulled.open else Begin, x, now=wait.until)


def test_how_long_lists_lag_is_told_by_the_experiment() -> None:
    wait = of(Wait, experiment(run(ended(updated=JUST_NOW)), lag=timedelta(seconds=3)))
    assert wait.until == JUST_NOW + timedelta(seconds=3) + SECOND


def test_a_result_is_not_waited_for_once_it_is_there() -> None:
    of(Conclude, experiment(run(ended(updated=JUST_NOW, artifact=artifact()))))
    of(Pause, experiment(run(ended(updated=JUST_NOW, complaint="It has no result.json."))))


def test_a_result_is_concluded() -> None:
    found = of(Conclude, experiment(attempts()))
    assert (found.attempt.key, found.attempt.inputs, found.attempt.metrics) == ("71.1", INPUTS, {"loss": 2.0})


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.DIVERGED, Status.HUNG])
def test_a_training_that_ran_but_led_nowhere_is_a_result(status: Status) -> None:
    of(Conclude, experiment(attempts(status=status)))


@pytest.mark.parametrize("status", [Status.FAILED, Status.OUT_OF_MEMORY])
def test_a_crash_is_mended(status: Status) -> None:
    assert of(Repair, experiment(attempts(status=status))).attempt.status == status


def test_code_that_does_not_report_the_primary_metric_is_mended() -> None:
    of(Repair, experiment(attempts(metrics={"accuracy": 0.9})))


def test_a_metric_that_is_no_number_is_a_result() -> None:
    of(Conclude, experiment(attempts(metrics={"loss": float("nan")})))


def mended(times: int, *, by_hand: bool = False) -> Run:
    """Crashed, mended so often, and crashed again; a person's push may come last."""
    inputs = [record().inputs, *(str(number) * 40 for number in range(times))]
    crashes = [attempt(workflow_run=40 + n, inputs=old, status="failed") for n, old in enumerate(inputs[:-1])]
    repairs = [
        Mend(attempt=crash.key, cause="", fix="", inputs=new) for crash, new in zip(crashes, inputs[1:], strict=True)
    ]
    crashes += [attempt(workflow_run=60, inputs="f" * 40, status="failed")] if by_hand else []
    known = record(attempts=crashes, repairs=repairs)
    return run(ended(artifact=artifact(Status.FAILED)), folder=folder(known))


@pytest.mark.parametrize(("times", "action"), [(0, Repair), (1, Repair), (2, Conclude), (3, Conclude)])
def test_repairs_stop_at_the_limit(times: int, action: type[Action]) -> None:
    of(action, experiment(mended(times)))


def test_a_lab_may_forbid_repairs() -> None:
    of(Conclude, experiment(mended(0), config={"repairs": 0}))


def test_a_person_s_push_allows_repairs_anew() -> None:
    of(Repair, experiment(mended(2, by_hand=True)))


def test_a_concluded_run_waits_for_its_review() -> None:
    assert of(Wait, experiment(concluded())).why == "Review #11: merge it, or close it to discard the run."


def clashing(**changes: Any) -> Run:
    """Concluded, with `train.py` changed on the branch and, in another way, on `ELSEWHERE`."""
    return concluded(base=folder(source="print('before')\n"), **changes)


ELSEWHERE = folder(result_of("9"), source="print('theirs')\n")


def test_a_branch_that_conflicts_with_main_is_brought_together_with_it() -> None:
    stuck = concluded(pull=pull(mergeable=False))
    assert decide(experiment(stuck), NOW) == Rebuild(stuck)


def test_whether_a_clash_is_a_conflict_is_for_github_to_say() -> None:
    wait = of(Wait, experiment(clashing(), main=ELSEWHERE))
    assert wait.for_whom == "GitHub"
    assert wait.until == NOW + timedelta(seconds=10)
    assert of(Wait, experiment(clashing(pull=pull(mergeable=True)), main=ELSEWHERE)).for_whom == "you"
    of(Rebuild, experiment(clashing(pull=pull(mergeable=False)), main=ELSEWHERE))


def test_what_cannot_clash_is_not_waited_for() -> None:
    assert of(Wait, experiment(concluded(), main=ELSEWHERE)).for_whom == "you"
    assert of(Wait, experiment(clashing(), main=folder())).for_whom == "you"


def test_a_conflict_is_nobody_s_business_before_the_result() -> None:
    of(Wait, experiment(run(training(), pull=pull(mergeable=False))))
    of(Conclude, experiment(run(ended(artifact=artifact()), pull=pull(mergeable=False))))
    of(Wait, experiment(concluded(pull=pull(mergeable=False)), labels=HELD))


def test_inputs_changed_after_the_result_are_trained() -> None:
    pushed = concluded(folder=folder(result_of(), source="print('mine')\n"))
    found = of(Dispatch, experiment(pushed))
    assert (found.inputs, found.ordinal) == (pushed.folder.inputs, 1)


def test_a_repeat_of_concluded_inputs_is_one_more_value() -> None:
    again = ended(attempt=2, artifact=artifact())
    assert of(Repeat, experiment(concluded(again))).attempt.key == "71.2"


def test_a_missing_record_is_said() -> None:
    assert "`runs/run-1.json` is missing on the branch of #11" in of(Pause, experiment(run(folder=folder()))).reason


# Trainings that nobody waits for, or that are lost


@pytest.mark.parametrize(
    ("situation", "why"),
    [
        (experiment(run(training(**OLD))), "new inputs"),
        (experiment(run(training(**OLD), pull=merged())), "new inputs"),
        (experiment(run(training(), pull=closed())), "closed before the result"),
        (experiment(run(training()), open=False), "was stopped"),
        (experiment(run(training()), labels=frozenset()), "was stopped"),
        (experiment(run(training(**OLD)), labels=HELD), "new inputs"),
    ],
)
def test_a_training_that_nobody_waits_for_is_cancelled(situation: Experiment, why: str) -> None:
    assert why in of(Cancel, situation).why


def test_of_an_issue_that_is_gone_trainings_are_cancelled_and_nothing_else_is_done() -> None:
    gone: dict[str, Any] = {"gone": "It was deleted.", "open": False, "labels": frozenset(), "authority": None}
    of(Cancel, experiment(run(training()), **gone))
    assert decide(experiment(run(ended()), **gone), NOW) == Wait("nobody", "It was deleted.")


def test_where_another_bot_acts_nothing_is_done() -> None:
    assert of(Wait, experiment(run(training(**OLD)), acting=False)).for_whom == "nobody"


def test_a_merged_run_s_training_goes_on_though_the_issue_is_closed() -> None:
    of(Wait, experiment(run(training(), pull=merged()), open=False))


def test_lost_trainings_are_repeated_at_most_so_often() -> None:
    lost: list[Training] = []
    while isinstance(action := decide(experiment(run(*lost)), NOW), Dispatch):
        assert action.ordinal == len(lost) + 1
        lost.append(ended(action.ordinal))
    assert len(lost) == 1 + MAX_LOST
    assert f"without a result {len(lost)} times in a row" in of(Pause, experiment(run(*lost))).reason


def test_lost_trainings_of_other_inputs_do_not_count() -> None:
    lost = [ended(ordinal, **OLD) for ordinal in range(1, 6)]
    assert of(Dispatch, experiment(run(*lost))).ordinal == 1


@pytest.mark.parametrize(
    "last",
    [
        ended(3, conclusion="cancelled"),
        ended(3, conclusion="failure", complaint="It has no result.json."),
        ended(3),
    ],
)
def test_what_ended_oddly_is_said_and_trained_again_once_somebody_resumes(last: Training) -> None:
    known = run(ended(1), ended(2), last)
    of(Pause, experiment(known))
    assert of(Dispatch, experiment(known, resumptions=(NOW,))).ordinal == 4


def test_a_hostile_artifact_s_words_do_nothing_in_the_reason() -> None:
    complaint = "'@octocat <!-- trainwright: status -->' is no name for a metric."
    reason = of(Pause, experiment(run(ended(complaint=complaint)))).reason
    assert "@octocat" not in reason
    assert "<!--" not in reason


# After a run


def test_a_merged_run_is_followed_by_the_next() -> None:
    assert decide(experiment(MERGED_ONE, main=MAIN_ONE, cause="pull-11"), NOW) == Begin("2", "pull-11")


def test_a_discarded_run_is_followed_by_the_next() -> None:
    assert decide(experiment(concluded(pull=closed())), NOW) == Begin("2", "event-5")


def test_a_run_merged_before_its_result_is_waited_for() -> None:
    early = run(training(), pull=merged())
    assert of(Wait, experiment(early, main=folder(record()))).for_whom == "the runner"
    assert decide(experiment(replace(early, trainings=(ended(artifact=artifact()),))), NOW) == Begin("2", "event-5")


def test_of_two_open_runs_the_newer_counts() -> None:
    second = run(id="2", folder=folder(result_of("1"), record("2")), pull=pull(12))
    assert of(Dispatch, experiment(concluded(), second)).run is second


# The report


def finished(next_: Next = Next.CONTINUE, **changes: Any) -> Experiment:
    """One merged run, whose analysis says what comes next."""
    last = result_of(conclusion=conclusion(analysis=analysis(next=next_, next_because="that is all.")))
    return experiment(run(folder=folder(last), pull=merged()), main=folder(last), **changes)


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (finished(Next.COMPLETE), "calls the experiment complete: that is all."),
        (finished(Next.BLOCKED), "calls the experiment blocked: that is all."),
        (finished(report_asked=True), "A maintainer asked for the report."),
        (finished(config={"budget": {"runs": 1}}), "The budget of 1 runs is used up."),
        (finished(config={"budget": {"dollars": 2.5}}, dollars=2.5), "The budget of $2.50 is used up."),
        (finished(config={"budget": {"dollars": 0}}, dollars=0.01), "The budget of $0.00 is used up."),
        (finished(config={"budget": {"gpu_minutes": 1}}), "The budget of 1 minutes of training is used up."),
    ],
)
def test_the_end_is_a_report_with_its_reason(situation: Experiment, reason: str) -> None:
    assert reason in of(Report, situation).reason


def test_within_the_budget_it_goes_on() -> None:
    budget = {"runs": 2, "dollars": 0, "gpu_minutes": 1.1}
    of(Begin, finished(config={"budget": budget}))


def test_a_discarded_run_counts_for_the_budget() -> None:
    lost = record(discarded=Discarded(reason="closed"))
    of(Report, experiment(run(folder=folder(lost), pull=closed()), config={"budget": {"runs": 1}}))


def test_an_open_run_comes_before_the_report() -> None:
    of(Wait, experiment(concluded(), report_asked=True, config={"budget": {"runs": 1}}))


def test_a_report_gets_its_pull_request_and_waits_for_its_review() -> None:
    branch = replace(report(), pull=None)
    assert decide(finished(report=branch), NOW) == OpenPull(branch)
    assert "merging it ends the experiment" in of(Wait, finished(report=report())).why


def test_a_merged_report_closes_the_issue() -> None:
    assert decide(finished(report=report(open=False, merged=True)), NOW) == Close()


def test_a_report_closed_pauses_and_resumed_goes_on_even_past_the_budget() -> None:
    shut = report(open=False, closed_at=NOW)
    budget = {"budget": {"runs": 1}}
    of(Pause, finished(report=shut, config=budget, resumptions=(NOW - timedelta(hours=1),)))
    later = (NOW + timedelta(minutes=1),)
    assert decide(finished(report=shut, config=budget, resumptions=later), NOW) == Begin("2", "event-5")


# Commands


def test_a_plan_is_revised_on_the_open_run() -> None:
    wish = asked("revise-plan", "smaller")
    assert decide(experiment(concluded(), asked=(wish,)), NOW) == RevisePlan(concluded(), wish)


@pytest.mark.parametrize("name", ["help", "report", "no-such-thing"])
def test_other_commands_are_answered(name: str) -> None:
    assert decide(experiment(concluded(), asked=(asked(name),)), NOW) == Answer(asked(name))


def test_a_stranger_s_command_is_answered_and_not_obeyed() -> None:
    assert decide(experiment(concluded(), asked=(asked("revise-plan", may=False),)), NOW) == Answer(
        asked("revise-plan", may=False)
    )


@pytest.mark.parametrize(("runs", "next_"), [((), Begin), ((run(pull=None),), OpenPull)])
def test_a_revision_waits_for_the_pull_request_of_the_next_run(runs: tuple[Run, ...], next_: type[Action]) -> None:
    of(next_, experiment(*runs, asked=(asked("revise-plan"),)))


def test_a_command_behind_one_that_waits_is_answered() -> None:
    wishes = (asked("revise-plan"), asked("report", comment=4))
    assert decide(experiment(MERGED_ONE, main=MAIN_ONE, asked=wishes), NOW) == Answer(wishes[1])


def test_a_paused_experiment_answers_but_revises_only_when_it_goes_on() -> None:
    wishes = (asked("revise-plan"), asked("help", comment=4))
    assert decide(experiment(concluded(), labels=HELD, asked=wishes), NOW) == Answer(wishes[1])
    of(Wait, experiment(concluded(), labels=HELD, asked=wishes[:1]))
    of(RevisePlan, experiment(concluded(), asked=wishes[:1]))


def test_at_the_end_there_is_no_plan_to_revise() -> None:
    of(Answer, finished(report=report(), asked=(asked("revise-plan"),)))


# What is known of the runs


def test_an_open_run_is_told_by_its_own_branch_and_a_closed_one_by_whoever_knows_most() -> None:
    discarded = result_of(discarded=Discarded(reason="closed"))
    second = run(id="2", folder=folder(discarded, record("2")), pull=pull(12))
    x = experiment(concluded(pull=closed()), second)
    assert x.records == (discarded, record("2"))
    assert x.next_run == "3"


def test_discarded_runs_and_other_metrics_do_not_set_the_bar() -> None:
    good = conclusion(value=1.0)
    other = Metric(name="accuracy", direction="higher")
    records = [result_of(), result_of("2", conclusion=good, discarded=Discarded(reason="closed"))]
    records.append(result_of("3", conclusion=good, metric=other))
    best = experiment(main=folder(*records)).best_before("4", METRIC)
    assert best
    assert best.run == "1"


def test_a_run_on_a_branch_does_not_set_the_bar() -> None:
    assert experiment(concluded()).best_before("2", METRIC) is None


# An experiment after a step


def test_a_run_takes_the_place_of_its_older_self_or_is_the_newest() -> None:
    second = run(id="2", pull=pull(12))
    x = experiment(concluded(), report=report()).with_run(second)
    assert (x.runs, x.report) == ((concluded(), second), None)
    moved = replace(concluded(), pull=pull(head="b" * 40))
    assert x.with_run(moved).runs == (moved, second)
    assert experiment().with_run(report()) == experiment(report=report())


def test_a_comment_goes_to_its_thread_and_an_edited_one_to_its_old_place() -> None:
    first, second = Comment(1, "one", ours=True), Comment(2, "two", ours=True)
    x = experiment(concluded()).with_comment(11, first).with_comment(11, second).with_comment(1, first)
    assert (x.runs[0].comments, x.comments) == ((first, second), (first,))
    edited = Comment(1, "another", ours=True)
    assert x.with_comment(11, edited).runs[0].comments == (edited, second)
    assert x.with_comment(1, edited).comments == (edited,)
    assert x.with_comment(1, edited).runs == x.runs


def test_an_answered_command_is_gone() -> None:
    wishes = (asked("help"), asked("report", comment=4))
    assert experiment(asked=wishes).without(wishes[0]).asked == wishes[1:]


def test_a_commit_moves_the_head_and_leaves_the_checks_behind() -> None:
    known = concluded(training(), pull=pull(mergeable=True), checks=(Check(1, "x", "completed", "success", "x"),))
    after = known.with_files("b" * 40, {"train.py": "print('mended')\n", "runs/run-1.json": to_json(record())})
    assert after.pull == pull(head="b" * 40, mergeable=None)
    assert (after.checks, after.folder.commit, after.trainings) == ((), "b" * 40, known.trainings)
    assert after.folder.text("train.py") == "print('mended')\n"
    assert (after.record, after.concluded) == (record(), False)
    assert known.pull == pull(mergeable=True)


def test_a_branch_without_a_pull_request_gets_its_files_as_well() -> None:
    after = run(pull=None).with_files("b" * 40, {"train.py": "x = 1\n"})
    assert (after.pull, after.folder.text("train.py")) == (None, "x = 1\n")


def side(text: str | None) -> Folder:
    return replace(NOTHING, entries={"notes.txt": Entry("100644", text)} if text else {})


@pytest.mark.parametrize(
    ("before", "main", "branch", "clashes"),
    [
        ("old", "old", "old", False),
        ("old", "main", "old", False),
        ("old", "old", "branch", False),
        ("old", "both", "both", False),
        (None, "both", "both", False),
        ("old", None, None, False),
        ("old", None, "old", False),
        ("old", "main", "branch", True),
        (None, "main", "branch", True),
        ("old", None, "branch", True),
        ("old", "main", None, True),
    ],
)
def test_a_clash_is_a_file_changed_here_and_there_in_different_ways(
    before: str | None, main: str | None, branch: str | None, clashes: bool
) -> None:
    assert run(folder=side(branch), base=side(before)).clashes(side(main)) is clashes
    assert not run(folder=side(branch)).clashes(side(main))


# Stages


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (experiment(), Stage.PLANNING),
        (experiment(run()), Stage.TRAINING),
        (experiment(concluded()), Stage.REVIEW),
        (experiment(MERGED_ONE), Stage.PLANNING),
        (finished(report=report()), Stage.REPORT),
        (finished(report=report(open=False, merged=True), open=False), Stage.DONE),
        (experiment(open=False), Stage.STOPPED),
        (experiment(labels=frozenset()), Stage.STOPPED),
        (experiment(concluded(), labels=HELD), Stage.PAUSED),
    ],
)
def test_every_stage_has_its_situation(situation: Experiment, expected: Stage) -> None:
    assert stage(situation) is expected


# Whatever the situation


def some(build: Callable[..., T], **choices: Sequence[Any]) -> st.SearchStrategy[T]:
    """One of all combinations, built beforehand: what is drawn costs nothing then."""
    every = itertools.product(*choices.values())
    return st.sampled_from([build(**dict(zip(choices, values, strict=True))) for values in every])


TIMES = (LONG_AGO, NOW - timedelta(hours=1), NOW, LATER)
times = st.sampled_from(TIMES)
trainings = some(
    training,
    ordinal=(1, 2, 3),
    inputs=(INPUTS[:12], "0" * 12),
    status=("queued", "in_progress", "completed"),
    conclusion=(None, "success", "cancelled"),
    created=TIMES[:3],
    updated=(EVER, NOW),
    artifact=(None, artifact(), artifact(Status.FAILED), artifact(Status.CANCELLED), artifact(metrics={})),
)
KNOWN = (None, conclusion(), conclusion(attempt="9.9", value=None), conclusion(analysis=analysis(next=Next.COMPLETE)))
RECORDS = [
    record(number, attempts=(attempt(),) * trained, conclusion=known, discarded=discarded)
    for number in ("1", "2", "3z")
    for trained in (0, 1, 2)
    for known in KNOWN
    for discarded in (None, Discarded(reason="closed"))
]
folders = st.builds(
    lambda records, source: folder(*records, source=source),
    st.lists(st.sampled_from(RECORDS), max_size=2),
    st.sampled_from([SOURCE, "print('mine')"]),
)
pulls = st.none() | some(
    pull,
    number=(11, 12),
    open=(True, False),
    merged=(True, False),
    closed_at=(None, *TIMES),
    mergeable=(None, True, False),
)
runs = st.builds(
    Run,
    st.sampled_from(["1", "2", "3z"]),
    folders,
    pulls,
    st.lists(trainings, max_size=4).map(tuple),
    base=st.sampled_from([None, NOTHING, folder(source="print('before')")]),
)
wishes = some(asked, name=("revise-plan", "report", "zzz"), may=(True, False))
situations: dict[str, st.SearchStrategy[Any]] = {
    "config": st.sampled_from([{}, {"repairs": 0}, {"budget": {"runs": 1}}, {"budget": {"dollars": 0}}]),
    "main": folders,
    "report": st.none() | st.builds(Run, st.just("report"), folders, pulls),
    "asked": st.lists(wishes, max_size=2).map(tuple),
    "report_asked": st.booleans(),
    "resumptions": st.lists(times, max_size=2).map(tuple),
    "dollars": st.sampled_from([0.0, 3.0, 1e9]),
}
BARRED: tuple[dict[str, Any], ...] = (
    {"open": False},
    {"labels": frozenset()},
    {"labels": HELD},
    {"authority": None},
    {"authority": Authority("mallory", False, 5)},
    {"config_error": "It is broken."},
    {"acting": False},
    {"gone": "It was deleted.", "open": False, "labels": frozenset(), "authority": None},
)


@st.composite
def experiments(draw: st.DrawFn, *, barred: bool) -> Experiment:
    changes = {name: draw(choice) for name, choice in situations.items()}
    return experiment(*draw(st.lists(runs, max_size=3)), **changes, **(draw(st.sampled_from(BARRED)) if barred else {}))


@given(experiments(barred=False) | experiments(barred=True), times)
@settings(deadline=None, max_examples=150)
def test_every_situation_has_one_action_and_a_stage(x: Experiment, now: datetime) -> None:
    action = decide(x, now)
    assert isinstance(action, Action)
    assert decide(x, now) == action
    assert stage(x) in Stage
    assert not isinstance(action, Wait) or action.until is None or action.until > now


@given(experiments(barred=True), times)
@settings(deadline=None, max_examples=150)
def test_nothing_is_paid_for_what_is_not_to_go_on(x: Experiment, now: datetime) -> None:
    assert not isinstance(decide(x, now), (*PAID, Dispatch))


PEOPLE = {"you", "a maintainer", "nobody"}
MACHINES = {"the runner", A_RUNNER, "GitHub"}


@given(experiments(barred=False) | experiments(barred=True), times)
@settings(deadline=None, max_examples=200)
def test_whatever_is_no_person_is_not_waited_for_for_ever(x: Experiment, now: datetime) -> None:
    action = decide(x, now)
    if isinstance(action, Wait):
        assert action.for_whom in PEOPLE | MACHINES
        assert action.until or action.for_whom in PEOPLE
