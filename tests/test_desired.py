"""What GitHub should show: each piece once, and nothing missing once all of it is there."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.desired import missing, thread
from bot.experiment import EXPERIMENT, PAUSED, Action, Begin, Check, Comment, Experiment, Pause, Run, Wait
from bot.pieces import Body, CheckRun, Note, Piece, Seen, find_note, mark, posted
from bot.records import Rebuilt
from bot.records import Repair as Mend
from tests.values import (
    MAIN_ONE,
    analysis,
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
    result_of,
    run,
    training,
)

WAIT = Wait("you", "Review #11.")
BEGIN = Begin("2", "event-5")
HELD = frozenset({EXPERIMENT, PAUSED})


def shown(x: Experiment, step: Action) -> list[str]:
    """The pieces that are missing, in words."""
    return [piece.mark if isinstance(piece, Note) else type(piece).__name__ for piece in missing(x, step)]


def with_piece(x: Experiment, piece: Piece) -> Experiment:
    """The experiment after the piece was posted, as GitHub will show it."""
    match piece:
        case Seen():
            return replace(x, seen=True)
        case Note():
            return _with_note(x, piece)
        case Body():
            return _with_run(x, piece.pull, lambda run: replace(run, pull=replace(run.pull, body=posted(piece))))
        case CheckRun():
            number = next(run.pull.number for run in x.runs if run.pull and run.pull.head == piece.sha)
            check = Check(1, piece.external_id, piece.status, piece.conclusion, piece.title)
            return _with_run(x, number, lambda run: replace(run, checks=(check,)))


def _with_run(x: Experiment, number: int, change: Any) -> Experiment:
    return replace(x, runs=tuple(change(run) if run.pull and run.pull.number == number else run for run in x.runs))


def _with_note(x: Experiment, note: Note) -> Experiment:
    there = thread(x, note.thread)
    old = find_note(there, note)
    new = Comment(old.id if old else len(there) + 1, posted(note), ours=True)
    comments = (*(comment for comment in there if comment is not old), new)
    if note.thread == x.number:
        return replace(x, comments=comments)
    return _with_run(x, note.thread, lambda run: replace(run, comments=comments))


def settled(x: Experiment, step: Action = WAIT) -> Experiment:
    """Everything posted; a second look may bring the status comment up to date, and then it is enough."""
    for _ in range(2):
        for piece in missing(x, step):
            x = with_piece(x, piece)
    return x


def test_the_first_look_shows_that_the_issue_was_seen() -> None:
    assert shown(experiment(), BEGIN) == ["Seen", "status"]


def test_after_a_result_everything_is_said_in_the_order_of_reading() -> None:
    expected = ["Seen", "status", "summary 1 71.1", "analysis 1 71.1", "Body", "CheckRun"]
    assert shown(experiment(concluded()), WAIT) == expected


def test_nothing_is_missing_once_it_is_there() -> None:
    assert missing(settled(experiment(concluded())), WAIT) == []


def test_a_repair_and_a_superseded_training_are_said_before_the_result() -> None:
    known = result_of(
        attempts=(attempt(workflow_run=60, status="failed"), attempt()),
        repairs=(Mend(attempt="60.1", cause="", fix="", inputs="x"),),
    )
    x = experiment(concluded(ended(9, inputs="0" * 12), folder=folder(known)), seen=True)
    assert shown(x, WAIT)[1:4] == ["repair 1 60.1", "superseded 79.1", "summary 1 71.1"]


def test_a_branch_brought_together_with_main_is_told_once_for_each_commit_of_main() -> None:
    known = result_of(rebuilds=(Rebuilt(main="a" * 40), Rebuilt(main="b" * 40)))
    x = experiment(concluded(folder=folder(known)))
    marks = [f"rebuilt 1 {'a' * 12}", f"rebuilt 1 {'b' * 12}"]
    assert [name for name in shown(x, WAIT) if name.startswith("rebuilt")] == marks
    assert missing(settled(x), WAIT) == []


def test_a_run_opened_again_though_there_is_another_is_told_so() -> None:
    second = run(id="2", pull=pull(12), folder=folder(result_of(), record("2")))
    assert "reopened 1 2" in shown(experiment(concluded(), second), WAIT)
    assert "reopened 1 2" not in shown(experiment(concluded(pull=closed()), second), WAIT)
    assert "reopened 1 2" not in shown(experiment(concluded(pull=merged()), second), WAIT)


def test_of_an_issue_that_is_gone_the_open_pull_requests_are_told_and_nothing_else() -> None:
    second = run(id="2", pull=pull(12))
    gone: dict[str, Any] = {"gone": "It was deleted.", "open": False, "labels": frozenset(), "authority": None}
    x = experiment(concluded(pull=closed()), second, run(id="3", pull=None), **gone)
    assert [(piece.thread, piece.mark) for piece in missing(x, WAIT) if isinstance(piece, Note)] == [(12, "gone 1")]
    assert shown(x, WAIT) == ["gone 1"]
    assert missing(settled(x), WAIT) == []
    assert missing(replace(x, acting=False), WAIT) == []


def test_where_another_bot_acts_nothing_is_said() -> None:
    assert missing(experiment(concluded(), acting=False), WAIT) == []


def test_what_a_crash_left_out_is_posted_at_the_next_look() -> None:
    x = experiment(concluded())
    for piece in missing(x, WAIT)[:3]:
        x = with_piece(x, piece)
    assert shown(x, WAIT)[:2] == ["analysis 1 71.1", "Body"]


def test_a_forged_mark_does_not_count() -> None:
    forged = Comment(1, f"{mark('summary 1 71.1')}\nAll is well.", ours=False)
    assert "summary 1 71.1" in shown(experiment(concluded(comments=(forged,))), WAIT)


def test_of_two_notes_with_one_mark_the_older_is_kept() -> None:
    note = Note(1, "status", "new", current=True)
    older, newer = Comment(1, mark("status"), True), Comment(2, mark("status"), True)
    assert find_note((older, newer), note) is older


def test_a_note_said_once_is_not_said_again_when_its_words_change() -> None:
    x = settled(experiment(concluded()))
    other = result_of(conclusion=conclusion(summary="- Something else.", analysis=analysis(text="Else.")))
    changed = replace(x, runs=(replace(x.runs[0], folder=folder(other)),))
    assert shown(changed, WAIT) == []


def test_the_status_is_kept_up_to_date_but_only_when_there_is_time_to_read_it() -> None:
    x = settled(experiment(concluded()))
    merged_now = replace(x, runs=(replace(x.runs[0], pull=merged()),))
    assert shown(merged_now, BEGIN) == []
    assert shown(merged_now, WAIT) == ["status"]
    assert shown(x, Pause("It broke.")) == ["status"]


def test_a_pause_by_the_bot_keeps_its_cause_and_one_by_a_person_says_whose_it_is() -> None:
    x = settled(experiment(concluded()), Pause("It broke."))
    assert shown(replace(x, labels=HELD), WAIT) == []
    assert shown(replace(x, labels=HELD, paused_by="eve"), WAIT) == ["status"]


def test_the_check_follows_the_head_when_the_inputs_stay() -> None:
    x = settled(experiment(concluded()))
    moved = replace(x.runs[0], pull=replace(x.runs[0].pull or pull(), head="b" * 40), checks=())
    assert shown(replace(x, runs=(moved,)), WAIT) == ["CheckRun"]


def test_a_closed_pull_request_is_left_as_it_is_but_gets_its_result() -> None:
    assert shown(experiment(concluded(pull=closed()), seen=True), WAIT) == [
        "status",
        "summary 1 71.1",
        "analysis 1 71.1",
    ]


def test_an_issue_that_is_none_of_ours_is_left_alone() -> None:
    strange: list[dict[str, Any]] = [{"labels": frozenset()}, {"authority": None}, {"open": False}]
    for changes in strange:
        assert missing(experiment(run(), **changes), WAIT) == []


def test_an_experiment_that_was_ours_is_told_its_end() -> None:
    x = settled(experiment(concluded(pull=merged()), main=MAIN_ONE))
    assert shown(replace(x, open=False), WAIT) == ["status"]


RUNS = [
    run(),
    run(training()),
    run(pull=None),
    run(folder=folder()),
    concluded(),
    concluded(ended(5, inputs="0" * 12)),
    concluded(pull=merged()),
    concluded(pull=closed()),
    run(folder=folder(record(repairs=(Mend(attempt="1.1", cause="", fix="", inputs="x"),)))),
    concluded(folder=folder(result_of(conclusion=conclusion(summary="x" * 70_000)))),
]
SECOND = [run(id="2", pull=pull(12), folder=folder(result_of(), record("2"))), run(id="2", pull=None)]
STEPS: list[Action] = [WAIT, BEGIN, Pause("It broke.")]


@pytest.mark.parametrize("one", RUNS)
@given(st.sampled_from([(), *((second,) for second in SECOND)]), st.sampled_from(STEPS), st.booleans())
@settings(deadline=None, max_examples=12)
def test_whatever_it_is_nothing_is_missing_once_it_is_there(
    one: Run, more: tuple[Run, ...], step: Action, held: bool
) -> None:
    x = settled(experiment(one, *more, labels=HELD if held else frozenset({EXPERIMENT})), step)
    assert missing(x, step) == []
    marks = [
        line
        for comments in (x.comments, *(r.comments for r in x.runs))
        for c in comments
        for line in c.body.splitlines()[:1]
    ]
    assert len(marks) == len(set(marks))
