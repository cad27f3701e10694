"""What the bot says: right in the usual case, and no tool in the hands of those whose words it repeats."""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands import KNOWN, parse
from bot.comments import (
    NO_LANGUAGE_MODEL,
    analysis_note,
    answer_body,
    blocked,
    check_run,
    gone_note,
    no_reply,
    pull_body,
    pull_title,
    rebuilt_note,
    refusal,
    reopened_note,
    repair_note,
    report_body,
    revision_body,
    status_note,
    stuck,
    summary_note,
    superseded_notes,
)
from bot.desired import pieces
from bot.errors import Declined, DocumentError, LabConfigError, ModelError, ReplyError
from bot.experiment import PAUSED, Action, Asked, Begin, Experiment, Pause, Wait, decide
from bot.folder import LOG, PLAN, PROGRESS_PLOT, TASKS, Entry, plot_path
from bot.models.model import Role
from bot.pieces import Body, CheckRun, Note, fingerprint, mark, posted
from bot.records import Call, Rebuilt, Record, Verdict
from bot.records import Repair as Mend
from tests.test_sanitise import ACTIVE, GITHUB, HOSTILE, shown
from tests.values import (
    MAIN_ONE,
    NOW,
    analysis,
    asked,
    attempt,
    closed,
    concluded,
    conclusion,
    ended,
    experiment,
    folder,
    proposal,
    pull,
    record,
    report,
    result_of,
    run,
    training,
)

WAIT = Wait("you", "Review #11: merge it, or close it to discard the run.")
LIMIT = 65_536


def status(x: Experiment, step: Action = WAIT) -> str:
    return status_note(x, step).body


# The usual case


def test_the_status_says_where_it_stands_what_is_best_and_what_is_left() -> None:
    said = status(experiment(concluded(), dollars=0.5))
    assert said.startswith("### 👋 Waiting for your review, run 1\n\nReview #11: merge it")
    assert "**Best so far: `loss` 2**, run 1 (lower is better)." in said
    assert "| 1 | #11 | `LR`: 1 → 2. | 2 | – | improved | 60 s | $0 |" in said
    assert "Budget: 1 of 10 runs, $0.50 of $10.00, 60 s of 10.0 h of training." in said


def test_what_others_have_to_mend_is_said_alone() -> None:
    """It is no matter of the open pull request, and what the budget is nobody can read."""
    broken = experiment(concluded(), config_error="`trainwright.yml`, line 2: It is odd.\n\nMend it.")
    said = status(broken, decide(broken, NOW))
    assert "line 2: It is odd.\n\nMend it.\n\n**Best so far" in said
    assert "Budget" not in said
    model = status(experiment(concluded()), Wait("the model", "The model gives no reply."))
    assert "The model gives no reply.\n\n" in model
    assert "Budget: 1 of 10 runs" in model


def test_a_price_that_is_not_known_is_no_zero() -> None:
    unpriced = result_of("1", calls=(Call(id="coder/x/0", role=Role.CODER, model="local/own"),))
    said = status_note(experiment(main=folder(unpriced)), WAIT).body
    assert "$0.00 (and calls of unknown price) of $10.00" in said
    assert "| unknown |" in said


@pytest.mark.parametrize(
    ("situation", "step", "begins"),
    [
        (experiment(), Begin("1", "event-5"), "### 📝 Planning\n\nReading the idea"),
        (experiment(run(training())), Wait("the runner", "Wait."), "### 🏃 Training, run 1\n\nWait. (#11)"),
        (experiment(concluded()), Pause("It broke."), "### ⏸️ Paused\n\nIt broke."),
        (
            experiment(labels=frozenset({"experiment", PAUSED}), paused_by="eve"),
            Wait("a maintainer", "Take it off."),
            "### ⏸️ Paused\n\nPaused by eve with the label `paused`. Take it off.",
        ),
    ],
)
def test_the_status_begins_with_the_stage_and_what_it_waits_for(
    situation: Experiment, step: Action, begins: str
) -> None:
    assert status(situation, step).startswith(begins)


def test_the_status_links_the_documents_and_shows_the_progress_of_a_commit() -> None:
    main = replace(MAIN_ONE, entries={**MAIN_ONE.entries, PROGRESS_PLOT: Entry("100644", "9" * 40)})
    said = status(experiment(concluded(), main=main))
    base = f"../blob/{'c' * 40}/experiments/1-fit"
    assert f"![Progress]({base}/plots/progress.png?raw=true)" in said
    assert " · ".join(f"[{name}]({base}/{name})" for name in (PLAN, TASKS, LOG)) in said


def test_a_pull_request_says_what_is_tried_and_what_it_cost() -> None:
    call = Call(id="coder/x/0", role=Role.CODER, model="acme/one", input=1200, output=30, dollars=Decimal("0.02"))
    known = result_of(calls=(call,))
    body = pull_body(experiment(), concluded(folder=folder(known)), known)
    assert "Run 1 of experiment #1, *Fit it*." in body
    assert "**Hypothesis.** It fits." in body
    assert "**Tasks worked on.**\n- Fit it" in body
    assert "Cost so far: $0.0200 for model calls, 60 s of training" in body
    assert "| coder | `acme/one` | 1 | 1,200 | 30 | $0.0200 |" in body
    assert NO_LANGUAGE_MODEL not in body


def test_it_is_said_when_no_language_model_wrote_it() -> None:
    call = Call(id="coder/x/0", role=Role.CODER, model="baseline", dollars=Decimal(0))
    assert NO_LANGUAGE_MODEL in pull_body(experiment(), run(), record(calls=(call,)))


def test_a_pull_request_names_the_closed_runs_that_it_brings_along() -> None:
    second = run(id="2", folder=folder(result_of(), record("2")), pull=pull(12))
    assert "findings of closed runs: 1 (#11)." in pull_body(experiment(second), second, record("2"))
    assert "closed runs" not in pull_body(experiment(second, main=MAIN_ONE), second, record("2"))


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({}, "✅ improved: `loss` 2, the first result"),
        ({"best_before": 2.5}, "✅ improved: `loss` 2 (−0.5000 to the best before)"),
        ({"best_before": 1.5, "verdict": Verdict.NO_GAIN}, "➖ no gain: `loss` 2 (+0.5000 to the best before)"),
        ({"value": None, "verdict": Verdict.FAILED}, "❌ failed: It ran to its end."),
        ({"value": None, "verdict": Verdict.FAILED, "attempt": "9.9"}, "❌ failed: no result"),
    ],
)
def test_the_headline_is_the_verdict_with_its_numbers(changes: dict[str, object], head: str) -> None:
    known = result_of(conclusion=conclusion(**changes))
    assert known.conclusion
    note = analysis_note(experiment(), concluded(folder=folder(known)), known, known.conclusion)
    assert note.body.startswith(f"### {head}\n")


def test_the_analysis_shows_findings_picture_and_advice() -> None:
    place = concluded()
    place = replace(
        place, folder=replace(place.folder, entries={**place.folder.entries, plot_path("1"): Entry("100644", "9" * 40)})
    )
    assert place.record
    assert place.record.conclusion
    said = analysis_note(experiment(place), place, place.record, place.record.conclusion).body
    assert "**Key findings**\n- It fits." in said
    assert f"![Run 1](../blob/{11:040x}/experiments/1-fit/plots/run-1.png?raw=true)" in said
    assert "**Recommendation: merge.** It fits.\n**Next: continue.** There is more." in said


def test_the_summary_has_the_facts_folded_below_it() -> None:
    known = result_of()
    assert known.conclusion
    said = summary_note(11, known, known.conclusion).body
    assert said.startswith("### Summary of the training\n\n- It ran.\n\n<details>")
    assert "- `loss`: 2" in said


def test_a_repair_says_error_cause_and_fix() -> None:
    failure = {"type": "IndexError", "message": "index `3`\nis too large", "line": 4}
    known = record(attempts=(attempt(status="failed", failure=failure),))
    said = repair_note(11, known, Mend(attempt="71.1", cause="Too far.", fix="Less far.", inputs="x"), 2).body
    assert "mended (2)" in said
    assert "`IndexError: index '3' is too large` at line 4 of `train.py`" in said
    assert "**Cause.** Too far.\n\n**Fix.** Less far." in said


def test_a_rebuilt_branch_says_whose_files_were_kept_where_both_had_changed() -> None:
    told = Rebuilt(main="abcdef0" + "1" * 33, from_main=("PLAN.md",), from_branch=("train.py", "a.txt"))
    note = rebuilt_note(11, record(), told)
    assert (note.thread, note.mark, note.current) == (11, "rebuilt 1 abcdef011111", False)
    assert note.body == (
        "### Brought together with main\n\nThis branch conflicted with `abcdef0` on main. "
        "Where both had changed: `PLAN.md` is main's, `train.py` is this run's, `a.txt` is this run's."
    )
    assert rebuilt_note(11, record(), Rebuilt(main="a" * 40)).body.endswith("with `aaaaaaa` on main.")


def test_a_run_opened_again_names_its_successor() -> None:
    note = reopened_note(run(), run(id="2", pull=pull(12)))
    assert (note.thread, note.mark) == (11, "reopened 1 2")
    assert "Run 2 (#12) has taken the place of this one" in note.body
    assert "Run 2 has taken the place" in reopened_note(run(), run(id="2", pull=None)).body


def test_the_end_of_an_issue_that_is_gone_is_told_with_its_cause() -> None:
    note = gone_note(experiment(gone="It was deleted."), run())
    assert (note.thread, note.mark) == (11, "gone 1")
    assert note.body.startswith("### The experiment has ended\n\nIt was deleted. Nothing is trained")
    assert "open a new issue with the label `experiment`" in note.body


def test_only_ended_trainings_of_other_inputs_that_no_record_has_are_superseded() -> None:
    old = "0" * 12
    trainings = (ended(1, inputs=old), ended(2, inputs=old), training(3, inputs=old), ended(4))
    known = record(attempts=(attempt(workflow_run=72),))
    assert [note.mark for note in superseded_notes(run(*trainings, folder=folder(known)))] == ["superseded 71.1"]
    assert list(superseded_notes(run(*trainings, pull=closed()))) == []


def test_the_check_shows_the_training_and_then_the_verdict() -> None:
    assert check_run(run(), record()) is None
    waiting = check_run(run(training()), record())
    assert waiting
    assert (waiting.status, waiting.conclusion, waiting.url) == ("in_progress", None, training().url)
    for verdict, expected in zip(Verdict, ("success", "neutral", "failure"), strict=True):
        known = result_of(conclusion=conclusion(verdict=verdict))
        check = check_run(concluded(folder=folder(known)), known)
        assert check
        assert (check.status, check.conclusion) == ("completed", expected)
        assert check.title == f"{verdict}: loss 2, the first result"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (asked("report", may=False, login="eve"), "`/report` counts only from people with write permission, which eve"),
        (asked("report"), "The report is written now;"),
        (asked("revise-plan"), "No run is open whose plan could be revised."),
        (asked("help"), KNOWN["revise-plan"]),
        (asked("reprot"), "`/reprot` is not available. Did you mean `/report`?"),
        (asked("zzz"), "`/zzz` is not available. These are:"),
    ],
)
def test_every_command_is_answered(wish: Asked, says: str) -> None:
    assert says in answer_body(experiment(), wish)


def test_what_is_stuck_is_said_with_the_way_out() -> None:
    for error in (Declined("no"), ReplyError("no"), LabConfigError("no"), KeyError("secret")):
        assert stuck(error).endswith("take the label `paused` off.")
    assert "secret" not in stuck(KeyError("secret"))


@pytest.mark.parametrize("error", [DocumentError("The plan is odd."), LabConfigError("The plan is odd.")])
def test_what_others_mend_asks_for_no_label(error: DocumentError | LabConfigError) -> None:
    assert blocked(error) == "The plan is odd.\n\nMend it, and I go on by myself."


def test_a_model_without_a_reply_is_said_with_what_to_look_at() -> None:
    said = no_reply(ModelError("The server is down."))
    assert said.startswith("The model gives no reply: The server is down.\n\nI ask again from time to time")
    assert PAUSED not in said


# Hostile words


def hostile_record(text: str) -> Record:
    failure = {"type": text, "message": text, "line": 3}
    said = analysis(text=text, findings=(text, text), recommended_because=text, next_because=text)
    return result_of(
        proposal=proposal(hypothesis=text, change=text, expected=text, tasks=(text,)),
        attempts=(attempt(reason=text, failure=failure, environment={"gpu": text}),),
        repairs=(
            Mend(attempt="71.1", cause=text, fix=text, inputs="x"),
            Mend(attempt="9.9", cause="", fix="", inputs=""),
        ),
        rebuilds=(Rebuilt(main="a" * 40, from_main=(text,), from_branch=(text,)),),
        conclusion=conclusion(summary=text, analysis=said),
    )


def hostile_experiments(text: str) -> Iterator[Experiment]:
    known = hostile_record(text)
    broken = known.model_copy(update={"conclusion": conclusion(value=None, verdict=Verdict.FAILED)})
    for place in (
        concluded(folder=folder(known)),
        run(training(), folder=folder(known.model_copy(update={"conclusion": None}))),
        concluded(ended(inputs="0" * 12, sha="f" * 40), folder=folder(broken)),
        concluded(id="2", folder=folder(known, hostile_record(text).model_copy(update={"run": "2"}))),
    ):
        yield experiment(place, title=text, body=text)


def everything(text: str) -> Iterator[Note | Body | CheckRun | str]:
    """All that the bot can say when every word that it repeats is this text."""
    for x in hostile_experiments(text):
        yield from (piece for piece in pieces(x, WAIT) if isinstance(piece, Note | Body | CheckRun))
        yield pull_title(x, x.runs[0])
        yield pull_title(x, report())
        yield report_body(x)
    lost = experiment(run(ended(complaint=text)))
    yield status_note(lost, decide(lost, NOW))
    yield revision_body("ada", text)
    yield gone_note(experiment(gone=text), run())
    yield reopened_note(run(), run(id="2", pull=pull(19)))
    yield from (blocked(error) for error in (DocumentError(text), LabConfigError(text)))
    yield no_reply(ModelError(text))
    yield refusal("ada has no write permission in this repository.")
    yield from (stuck(error) for error in (Declined(text), ReplyError(text, text), LabConfigError(text)))


OURS = re.compile(r"#(1|11|19)\b")
HTML = re.compile(r"<details><summary>[\w$.,: ]+</summary>|</details>|<!-- trainwright[: ][\w .]+-->")


def check_harmless(text: str) -> None:
    """Of pictures, links, references and HTML there are only our own, and no line is a command."""
    tokens = [child for token in GITHUB.parse(text) for child in (token, *(token.children or []))]
    links = [str(token.attrGet("href")) for token in tokens if token.type == "link_open"]
    images = [str(token.attrGet("src")) for token in tokens if token.type == "image"]
    html = [line for t in tokens if t.type in ("html_block", "html_inline") for line in t.content.splitlines()]
    assert all(link.startswith(("https://github.com/ada/lab/", "../blob/")) for link in links)
    assert all(image.startswith("../blob/") for image in images)
    assert all(HTML.fullmatch(line.strip()) for line in html if line.strip())
    assert not [piece for piece in shown(text) if ACTIVE.search(OURS.sub("", piece))]
    assert parse(text) == ()


def check_piece(piece: Note | Body | CheckRun | str) -> None:
    if isinstance(piece, str):
        assert "<!--" not in piece
        check_harmless(piece)
    elif isinstance(piece, CheckRun):
        assert "<!--" not in piece.title + piece.summary
        check_harmless(piece.summary)
    else:
        marks = [mark(piece.mark)] if isinstance(piece, Note) else []
        assert re.findall("<!--.*?-->", posted(piece)) == [*marks, fingerprint(piece.body)]
        check_harmless(posted(piece))


@pytest.mark.parametrize("text", [*HOSTILE, "```\n@octocat\n~~~", "a | b\n| c", "# One\n\n- two\n\n> three", ""])
def test_hostile_words_do_nothing(text: str) -> None:
    for piece in everything(text):
        check_piece(piece)


@given(st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4), st.sampled_from([" ", "\n", "\n\n", "|", "`"]))
@settings(deadline=None, max_examples=8)
def test_hostile_words_together_do_nothing(words: list[str], glue: str) -> None:
    for piece in everything(glue.join(words)):
        check_piece(piece)


@pytest.mark.parametrize("text", ["| x\n||\\|", "`a|b", "a\nb", "\\"])
def test_no_word_breaks_the_table_of_runs(text: str) -> None:
    rows = [
        [token.type for token in GITHUB.parse(status(x)) if token.type in ("tr_open", "td_open")]
        for x in hostile_experiments(text)
    ]
    for row in rows:
        assert row.count("td_open") == 8 * (row.count("tr_open") - 1)


@pytest.mark.parametrize("text", ["x" * 66_000, "@a b\n" * 11_000 + "```\n" * 3_000])
def test_nothing_is_longer_than_github_takes(text: str) -> None:
    known = result_of(
        proposal=proposal(hypothesis=text), conclusion=conclusion(summary=text, analysis=analysis(text=text))
    )
    said = list(pieces(experiment(concluded(folder=folder(known))), WAIT))
    for piece in (Body(1, revision_body("ada", text)), *said):
        if isinstance(piece, Note | Body):
            assert len(posted(piece)) < LIMIT
            assert fingerprint(piece.body) in posted(piece)
    assert sum("… cut here" in posted(piece) for piece in said if isinstance(piece, Note | Body)) == 3


@pytest.mark.parametrize("text", ["x" * 5_000, "🎉 @a #1 " * 1_000])
def test_a_check_is_short_enough_for_github(text: str) -> None:
    failed = conclusion(value=None, verdict=Verdict.FAILED)
    known = result_of(attempts=(attempt(reason=text),), conclusion=failed)
    check = check_run(concluded(folder=folder(known)), known)
    assert check
    assert len(check.title) <= 255
    assert len(check.summary) < LIMIT


def test_titles_are_short_enough_for_github() -> None:
    for x in hostile_experiments("@a#1<b " * 1000):
        assert len(pull_title(x, x.runs[0])) <= 256
        assert len(pull_title(x, report())) <= 256
