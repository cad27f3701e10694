"""What the bot shows on GitHub, piece by piece, and the hidden marks by which each is found again. Pure values."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.experiment import Comment

MAX_BODY = 65_000
"""GitHub refuses more than 65,536 characters."""
STATUS = "status"
"""Marks the comment that always says how the experiment stands."""
CUT = "\n\n_… cut here: the whole text is in the files of this pull request._"


@dataclass(frozen=True)
class Note:
    """A comment. `current` means that it is kept up to date; otherwise it is posted once."""

    thread: int
    mark: str
    body: str
    current: bool = False


@dataclass(frozen=True)
class Body:
    """The description of a pull request."""

    pull: int
    body: str


@dataclass(frozen=True)
class CheckRun:
    sha: str
    external_id: str
    status: str
    conclusion: str | None
    title: str
    summary: str
    url: str


@dataclass(frozen=True)
class Seen:
    """The reaction 👀 on the issue."""


Piece = Note | Body | CheckRun | Seen


def find_note(comments: Sequence[Comment], note: Note) -> Comment | None:
    """Our comment with this mark; of two, the older one."""
    return next((comment for comment in comments if comment.ours and mark(note.mark) in comment.body), None)


def mark(name: str) -> str:
    """Valid only in a comment of our own app: anybody can paste one."""
    return f"<!-- trainwright: {name} -->"


def reply_mark(comment: int, ordinal: int) -> str:
    return f"reply {comment}.{ordinal}"


def bound_mark(name: str) -> str:
    """In the reply to a command that stays in force."""
    return f"bound {name}"


def fingerprint(body: str) -> str:
    """By this a body is known to be current, whatever GitHub does to its line ends."""
    return f"<!-- trainwright body {hashlib.sha256(body.encode()).hexdigest()[:16]} -->"


def posted(piece: Note | Body) -> str:
    """The text as it goes to GitHub, within its limit."""
    marks = [mark(piece.mark)] if isinstance(piece, Note) else []
    body = piece.body
    if len(body) > MAX_BODY:
        body = body[:MAX_BODY].rsplit("\n", 1)[0] + CUT
    return "\n".join([*marks, body.rstrip(), "", fingerprint(piece.body)])
