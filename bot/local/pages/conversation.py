"""What was said and done at an issue or pull request, in order: comments, reviews, events, commits, references."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from markupsafe import Markup

from bot.local.pages.shell import Visit
from bot.local.rows import Comment, Issue, PullRequest, Reaction, Review, TimelineEvent, User

FACES = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}
REVIEW_WORDS = {
    "APPROVED": "approved these changes",
    "CHANGES_REQUESTED": "requested changes",
    "COMMENTED": "reviewed",
}


@dataclass(frozen=True)
class Person:
    login: str
    is_bot: bool
    role: str
    """The badge beside the name: Owner, Collaborator, Author, or nothing."""


@dataclass(frozen=True)
class Said:
    """A comment, a review with a text, or the first post."""

    kind: ClassVar[str] = "said"
    key: str
    at: datetime
    author: Person
    html: Markup
    verb: str = "commented"
    edited: bool = False
    state: str = ""
    """Of a review."""
    faces: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Event:
    kind: ClassVar[str] = "event"
    key: str
    at: datetime
    author: Person
    event: TimelineEvent


@dataclass(frozen=True)
class Pushed:
    kind: ClassVar[str] = "pushed"
    key: str
    at: datetime
    author: Person
    sha: str
    message: str


@dataclass(frozen=True)
class Mentioned:
    kind: ClassVar[str] = "mentioned"
    key: str
    at: datetime
    author: Person
    issue: Issue


Entry = Said | Event | Pushed | Mentioned


class Conversation:
    def __init__(self, visit: Visit, issue: Issue) -> None:
        self._visit = visit
        self._issue = issue
        self._store = visit.hub.store
        self._bots = frozenset(user.login for user in self._store.all(User) if user.is_bot)

    def first_post(self) -> Said:
        issue = self._issue
        return Said(
            key=f"issue-{issue.id}",
            at=issue.created_at,
            author=self._person(issue.author),
            html=self._visit.comment(issue.body),
            edited=issue.edited_at is not None,
            faces=_faces(self._visit.hub.issues.reactions(issue)),
        )

    def entries(self) -> list[Entry]:
        """Rows have one sequence of ids, which says what came first; commits and references go by their time."""
        visit, number = self._visit, self._issue.number
        rows: list[tuple[datetime, int, Entry]] = []
        for comment in visit.hub.issues.comments(visit.repo, number):
            rows.append((comment.created_at, comment.id, self._comment(comment)))
        for event in self._events():
            entry = Event(f"event-{event.id}", event.created_at, self._person(event.actor), event)
            rows.append((event.created_at, event.id, entry))
        if self._issue.is_pull:
            for review in visit.hub.pulls.reviews(visit.repo, number):
                rows.append((review.submitted_at, review.id, self._review(review)))
            rows += [(pushed.at, 0, pushed) for pushed in self._commits()]
        rows += [(issue.created_at, issue.id, self._mention(issue)) for issue in self._references()]
        return [entry for _, _, entry in sorted(rows, key=lambda row: row[:2])]

    def _events(self) -> list[TimelineEvent]:
        """A merge closes too, which goes without saying."""
        events = self._visit.hub.issues.timeline(self._visit.repo, self._issue.number)
        merged = next((event.id for event in events if event.event == "merged"), None)
        return [event for event in events if merged is None or event.event != "closed" or event.id < merged]

    def _comment(self, comment: Comment) -> Said:
        return Said(
            key=f"issuecomment-{comment.id}",
            at=comment.created_at,
            author=self._person(comment.author),
            html=self._visit.comment(comment.body),
            edited=comment.updated_at != comment.created_at,
            faces=_faces(self._visit.hub.issues.reactions(comment)),
        )

    def _review(self, review: Review) -> Said:
        return Said(
            key=f"pullrequestreview-{review.id}",
            at=review.submitted_at,
            author=self._person(review.author),
            html=self._visit.comment(review.body),
            verb=REVIEW_WORDS.get(review.state, "reviewed"),
            state=review.state,
        )

    def _commits(self) -> list[Pushed]:
        found = []
        for sha in self._visit.hub.pulls.commits(self._visit.repo, self._issue.number):
            commit = self._visit.git.commit(sha)
            if commit:
                at, author = commit.committer.date, self._person(commit.author.name)
                found.append(Pushed(f"commit-{sha}", at, author, sha, commit.message))
        return found

    def _references(self) -> list[Issue]:
        """Other issues and pull requests whose first post names this one."""
        named = re.compile(rf"(?<![\w&/#])#{self._issue.number}\b")
        everything = self._visit.hub.issues.all(self._visit.repo)
        return [one for one in everything if one.number != self._issue.number and named.search(one.body)]

    def _mention(self, issue: Issue) -> Mentioned:
        return Mentioned(f"mention-{issue.number}", issue.created_at, self._person(issue.author), issue)

    def _person(self, login: str) -> Person:
        repo = self._visit.repo
        if login in self._bots:
            return Person(login, is_bot=True, role="")
        if login == repo.owner:
            role = "Owner"
        elif self._visit.hub.access.is_collaborator(login, repo):
            role = "Collaborator"
        else:
            role = "Author" if login == self._issue.author else ""
        return Person(login, is_bot=False, role=role)


def _faces(reactions: list[Reaction]) -> tuple[tuple[str, int], ...]:
    counted = Counter(reaction.content for reaction in reactions)
    return tuple((face, counted[name]) for name, face in FACES.items() if counted[name])


def standing(issue: Issue, pull: PullRequest | None) -> str:
    """The state's word and colour: open, draft, merged, closed, or completed."""
    if pull and pull.merged:
        return "merged"
    if issue.state == "open":
        return "draft" if pull and pull.draft else "open"
    return "closed" if issue.is_pull or issue.state_reason != "completed" else "completed"
