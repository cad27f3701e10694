"""What is said: pieces posted, commands answered, labels refused."""

from bot import comments
from bot.desired import thread
from bot.experiment import EXPERIMENT, Answer, Experiment, Refuse
from bot.pieces import Body, CheckRun, Note, Piece, Seen, bound_mark, find_note, mark, posted, reply_mark
from bot.steps.hands import Hands


def post(hands: Hands, x: Experiment, piece: Piece) -> None:
    """One piece of what people should see."""
    match piece:
        case Seen():
            hands.gateway.react(x.number)
        case Body():
            hands.gateway.edit_pull(piece.pull, body=posted(piece))
        case CheckRun():
            run = next(run for run in x.runs if run.pull and run.pull.head == piece.sha)
            key = f"check {piece.external_id} {piece.sha} {piece.status}"
            hands.once(x, key, lambda: hands.gateway.set_check(piece, known=run.checks))
        case Note():
            found = find_note(thread(x, piece.thread), piece)
            if found:
                hands.gateway.edit_comment(found.id, posted(piece))
            else:
                hands.comment(x, piece)


def refuse(hands: Hands, x: Experiment, action: Refuse) -> None:
    event = x.authority.event if x.authority else 0
    hands.comment(x, Note(x.number, f"refused {event}", comments.refusal(action.reason)))
    hands.gateway.remove_label(x.number, EXPERIMENT)


def answer(hands: Hands, x: Experiment, action: Answer) -> None:
    asked = action.asked
    body = comments.answer_body(x, asked)
    if asked.may and asked.command.name == "report":
        body += "\n" + mark(bound_mark("report"))
    hands.comment(x, Note(asked.thread, reply_mark(asked.comment, asked.ordinal), body))
