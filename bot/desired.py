"""All that GitHub should show for an experiment as it stands, and what of it is missing. Pure.

There is no mark for "done": each piece is looked for, so a piece that a crash left out is posted at the next look.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from bot.comments import (
    analysis_note,
    check_run,
    gone_note,
    pull_body,
    rebuilt_note,
    reopened_note,
    repair_note,
    status_note,
    summary_note,
    superseded_notes,
)
from bot.experiment import EXPERIMENT, PAUSED, Action, Comment, Experiment, Pause, Run, Wait
from bot.pieces import STATUS, Body, CheckRun, Note, Piece, Seen, find_note, fingerprint, mark


def missing(experiment: Experiment, step: Action) -> list[Piece]:
    """The pieces that GitHub does not show yet, in the order in which people should see them."""
    return [piece for piece in pieces(experiment, step) if not _is_there(experiment, piece)]


def pieces(experiment: Experiment, step: Action) -> Iterator[Piece]:
    """The status comment is brought up to date when the bot is about to wait; before, it only has to exist."""
    if experiment.gone and experiment.acting:
        yield from (gone_note(experiment, run) for run in experiment.runs if run.pull and run.pull.open)
        return
    has_status = any(comment.ours and mark(STATUS) in comment.body for comment in experiment.comments)
    if not experiment.acting or (not has_status and not _is_ours(experiment)):
        return
    yield Seen()
    if not has_status:
        yield status_note(experiment, step)
    for run in experiment.runs:
        yield from _run_pieces(experiment, run)
    for run, successor in pairwise(experiment.runs):
        if run.pull and run.pull.open:
            yield reopened_note(run, successor)
    if PAUSED in experiment.labels and not experiment.paused_by:
        return  # paused by the bot itself: the status comment has the cause
    if has_status and isinstance(step, Wait | Pause):
        yield status_note(experiment, step)


def _is_ours(experiment: Experiment) -> bool:
    """Any other issue is left alone, and so is one that was labelled by somebody who may not."""
    authority = experiment.authority
    return experiment.open and EXPERIMENT in experiment.labels and authority is not None and authority.may


def _run_pieces(experiment: Experiment, run: Run) -> Iterator[Piece]:
    record = experiment.record(run.id)
    if run.pull is None or record is None:
        return
    for number, repair in enumerate(record.repairs, start=1):
        yield repair_note(run.pull.number, record, repair, number)
    for rebuilt in record.rebuilds:
        yield rebuilt_note(run.pull.number, record, rebuilt)
    yield from superseded_notes(run)
    if record.conclusion:
        yield summary_note(run.pull.number, record, record.conclusion)
        yield analysis_note(experiment, run, record, record.conclusion)
    if run.pull.open:
        yield Body(run.pull.number, pull_body(experiment, run, record))
        check = check_run(run, record)
        if check:
            yield check


def _is_there(experiment: Experiment, piece: Piece) -> bool:
    match piece:
        case Seen():
            return experiment.seen
        case Note():
            return _note_is_there(experiment, piece)
        case Body():
            pull = next(run.pull for run in experiment.runs if run.pull and run.pull.number == piece.pull)
            return fingerprint(piece.body) in pull.body
        case CheckRun():
            checks = next(run.checks for run in experiment.runs if run.pull and run.pull.head == piece.sha)
            wanted = (piece.external_id, piece.status, piece.conclusion, piece.title)
            return any((c.external_id, c.status, c.conclusion, c.title) == wanted for c in checks)


def _note_is_there(experiment: Experiment, note: Note) -> bool:
    found = find_note(thread(experiment, note.thread), note)
    return found is not None and (not note.current or fingerprint(note.body) in found.body)


def thread(experiment: Experiment, number: int) -> Sequence[Comment]:
    """Our comments on the issue or on the pull request of a run."""
    pulls = {run.pull.number: run.comments for run in experiment.runs if run.pull}
    return pulls.get(number, experiment.comments)
