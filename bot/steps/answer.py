"""What is said: pieces posted, commands answered, labels refused."""

from dataclasses import replace

from bot import comments
from bot.desired import thread
from bot.experiment import EXPERIMENT, Answer, Comment, Experiment, Refuse
from bot.pieces import Body, CheckRun, Note, Piece, Seen, bound_mark, find_note, mark, posted, reply_mark
from bot.steps.hands import Hands


def post(hands: Hands, x: Experiment, piece: Piece) -> Experiment:
    """One piece of what people should see."""
    match piece:
        case Seen():
            hands.gateway.react(x.number)
            return replace(x, seen=True)
        case Body():
            return _describe(hands, x, piece)
        case CheckRun():
            return _check(hands, x, piece)
        case Note():
            return _say(hands, x, piece)


def _say(hands: Hands, x: Experiment, note: Note) -> Experiment:
    found = find_note(thread(x, note.thread), note)
    if found is None:
        return hands.comment(x, note)
    hands.gateway.edit_comment(found.id, posted(note))
    return x.with_comment(note.thread, Comment(found.id, posted(note), ours=True))


def _describe(hands: Hands, x: Experiment, body: Body) -> Experiment:
    text = posted(body)
    hands.gateway.edit_pull(body.pull, body=text)
    run = next(run for run in x.runs if run.pull and run.pull.number == body.pull)
    assert run.pull is not None
    return x.with_run(replace(run, pull=replace(run.pull, body=text)))


def _check(hands: Hands, x: Experiment, check: CheckRun) -> Experiment:
    run = next(run for run in x.runs if run.pull and run.pull.head == check.sha)
    key = f"check {check.external_id} {check.sha} {check.status}"
    made = hands.once(x, key, lambda: hands.gateway.set_check(check, known=run.checks))
    others = tuple(other for other in run.checks if other.id != made.id)
    return x.with_run(replace(run, checks=(*others, made)))


def refuse(hands: Hands, x: Experiment, action: Refuse) -> Experiment:
    event = x.authority.event if x.authority else 0
    x = hands.comment(x, Note(x.number, f"refused {event}", comments.refusal(action.reason)))
    hands.gateway.remove_label(x.number, EXPERIMENT)
    return replace(x, labels=x.labels - {EXPERIMENT})


def answer(hands: Hands, x: Experiment, action: Answer) -> Experiment:
    asked = action.asked
    body = comments.answer_body(x, asked)
    report = asked.may and asked.command.name == "report"
    if report:
        body += "\n" + mark(bound_mark("report"))
    x = hands.comment(x, Note(asked.thread, reply_mark(asked.comment, asked.ordinal), body))
    return replace(x.without(asked), report_asked=x.report_asked or report)
