"""Issues, and the issue half of pull requests: title, body, state, labels, assignees, comments, reactions."""

from collections.abc import Iterable
from dataclasses import replace

from bot.local.access import Access, Actor
from bot.local.notices import Notices
from bot.local.refusals import Forbidden, Gone, Invalid, Moved, NotFound
from bot.local.rows import REACTIONS, Absence, Comment, Issue, Label, Reaction, Repository, TimelineEvent, User
from bot.local.store import Store

LONGEST_BODY = 65_536
LONGEST_TITLE = 256
REASONS = ("completed", "not_planned", "duplicate", "reopened")


class Issues:
    def __init__(self, store: Store, access: Access, notices: Notices) -> None:
        self._store = store
        self._access = access
        self._notices = notices

    # Reading

    def get(self, repo: Repository, number: int) -> Issue:
        """Or Moved, or Gone."""
        found = self._store.find(Issue, repo_id=repo.id, number=number)
        if found is None:
            absence = self._store.get(Absence, repo_id=repo.id, number=number)
            if absence.new_repo_id and absence.new_number:
                raise Moved(absence.new_repo_id, absence.new_number)
            raise Gone("This issue was deleted")
        return found

    def all(self, repo: Repository) -> list[Issue]:
        """Issues and pull requests, oldest first."""
        return self._store.all(Issue, repo_id=repo.id)

    def comments(self, repo: Repository, number: int) -> list[Comment]:
        return self._store.all(Comment, repo_id=repo.id, number=number)

    def timeline(self, repo: Repository, number: int) -> list[TimelineEvent]:
        return self._store.all(TimelineEvent, repo_id=repo.id, number=number)

    # Opening and editing

    def open(
        self,
        repo: Repository,
        *,
        actor: Actor,
        title: str,
        body: str = "",
        labels: Iterable[str] = (),
        assignees: Iterable[str] = (),
        by_form: bool = False,
    ) -> Issue:
        """Labels and assignees of someone without triage permission are dropped in silence, as on GitHub.

        Not so those of an issue form (`by_form`): whoever fills it in, they are set if they exist.
        """
        with self._store.transaction():
            issue = self.create(repo, actor=actor, title=title, body=body, is_pull=False)
            if by_form:
                labels = [name for name in labels if self.find_label(repo, name)]
            elif not self._may_triage(repo, actor):
                labels = assignees = ()
            wanted = self._existing_labels(repo, actor, labels)
            issue = self._store.save(replace(issue, labels=wanted, assignees=self._people(repo, assignees)))
            self._notices.issue("opened", repo, issue, actor)
            for name in wanted:
                self._record(issue, actor, "labeled", subject=name)
                self._notices.issue("labeled", repo, issue, actor, label=name)
            for login in issue.assignees:
                self._record(issue, actor, "assigned", subject=login)
        return issue

    def create(self, repo: Repository, *, actor: Actor, title: str, body: str, is_pull: bool) -> Issue:
        """The row alone, under the next number; `Pulls` adds the other half."""
        _check_title(title)
        check_body(body)
        self._access.require(actor, repo, role="read")
        now = self._store.now()
        with self._store.transaction():
            return self._store.add(
                Issue(
                    repo_id=repo.id,
                    number=self._next_number(repo),
                    title=title,
                    body=body,
                    author=actor.login,
                    created_at=now,
                    updated_at=now,
                    is_pull=is_pull,
                    app_id=actor.app_id,
                )
            )

    def edit(
        self, repo: Repository, number: int, *, actor: Actor, title: str | None = None, body: str | None = None
    ) -> Issue:
        """Title and body, by their author or by someone with triage permission."""
        with self._store.transaction():
            issue = self.get(repo, number)
            self._require_author_or_triage(repo, actor, issue.author)
            new_title = issue.title if title is None else title
            new_body = issue.body if body is None else body
            if (new_title, new_body) == (issue.title, issue.body):
                return issue
            _check_title(new_title)
            check_body(new_body)
            now = self._store.now()
            edited = replace(issue, title=new_title, body=new_body, updated_at=now)
            if new_body != issue.body:
                edited = replace(edited, edited_at=now, edited_by=actor.login)
            self._store.save(edited)
            if new_title != issue.title:
                self._record(edited, actor, "renamed", subject=new_title, former=issue.title)
            self._notices.issue("edited", repo, edited, actor, before=issue)
        return edited

    def close(self, repo: Repository, number: int, *, actor: Actor, reason: str | None = None) -> Issue:
        with self._store.transaction():
            issue = self.get(repo, number)
            self._require_author_or_triage(repo, actor, issue.author)
            if issue.state == "closed":
                return issue
            return self.mark_closed(repo, issue, actor=actor, reason=None if issue.is_pull else reason or "completed")

    def mark_closed(self, repo: Repository, issue: Issue, *, actor: Actor, reason: str | None) -> Issue:
        """Without asking for permission: what a merge and a deleted branch do by themselves."""
        if reason is not None and reason not in REASONS:
            raise Invalid(resource="Issue", field="state_reason")
        now = self._store.now()
        closed = replace(
            issue, state="closed", state_reason=reason, closed_at=now, closed_by=actor.login, updated_at=now
        )
        with self._store.transaction():
            self._store.save(closed)
            self._record(closed, actor, "closed", state_reason=reason)
            self._notices.issue("closed", repo, closed, actor)
        return closed

    def reopen(self, repo: Repository, number: int, *, actor: Actor) -> Issue:
        with self._store.transaction():
            issue = self.get(repo, number)
            self._require_author_or_triage(repo, actor, issue.author)
            if issue.state == "open":
                return issue
            reason = None if issue.is_pull else "reopened"
            opened = replace(
                issue,
                state="open",
                state_reason=reason,
                closed_at=None,
                closed_by=None,
                updated_at=self._store.now(),
            )
            self._store.save(opened)
            self._record(opened, actor, "reopened")
            self._notices.issue("reopened", repo, opened, actor)
        return opened

    # Away

    def delete(self, repo: Repository, number: int, *, actor: Actor) -> None:
        """With all that was said. Its number is not given away again."""
        with self._store.transaction():
            issue = self._leaving(repo, number, actor, role="admin")
            self._notices.issue("deleted", repo, issue, actor)
            for row in (*self.comments(repo, number), *self.timeline(repo, number), issue):
                self._store.remove(row)
            self._store.add(Absence(repo_id=repo.id, number=number))

    def transfer(self, repo: Repository, number: int, *, actor: Actor, to: Repository) -> Issue:
        """With its conversation, and with those labels that are known there."""
        with self._store.transaction():
            issue = self._leaving(repo, number, actor, role="write")
            self._access.require(actor, to)
            new = self._next_number(to)
            labels = tuple(name for name in issue.labels if self.find_label(to, name))
            moved = replace(issue, repo_id=to.id, number=new, labels=labels, updated_at=self._store.now())
            for comment in self.comments(repo, number):
                self._store.save(replace(comment, repo_id=to.id, number=new))
            for event in self.timeline(repo, number):
                self._store.save(replace(event, repo_id=to.id, number=new))
            self._store.save(moved)
            self._store.add(Absence(repo_id=repo.id, number=number, new_repo_id=to.id, new_number=new))
            self._record(moved, actor, "transferred")
            self._notices.transferred(repo, issue, to, moved, actor)
        return moved

    # Labels and assignees

    def add_labels(self, repo: Repository, number: int, *, actor: Actor, names: Iterable[str]) -> Issue:
        with self._store.transaction():
            issue = self.get(repo, number)
            self._access.require(actor, repo, role="triage")
            for name in self._existing_labels(repo, actor, names):
                if name not in issue.labels:
                    issue = self._touch(replace(issue, labels=(*issue.labels, name)))
                    self._record(issue, actor, "labeled", subject=name)
                    self._notices.issue("labeled", repo, issue, actor, label=name)
        return issue

    def remove_label(self, repo: Repository, number: int, *, actor: Actor, name: str) -> Issue:
        with self._store.transaction():
            issue = self.get(repo, number)
            self._access.require(actor, repo, role="triage")
            found = next((label for label in issue.labels if label.lower() == name.lower()), None)
            if found is None:
                raise NotFound("Label does not exist")
            issue = self._touch(replace(issue, labels=tuple(label for label in issue.labels if label != found)))
            self._record(issue, actor, "unlabeled", subject=found)
            self._notices.issue("unlabeled", repo, issue, actor, label=found)
        return issue

    def set_labels(self, repo: Repository, number: int, *, actor: Actor, names: Iterable[str]) -> Issue:
        wanted = tuple(names)
        with self._store.transaction():
            for name in self.get(repo, number).labels:
                if name not in wanted:
                    self.remove_label(repo, number, actor=actor, name=name)
            return self.add_labels(repo, number, actor=actor, names=wanted)

    def set_assignees(self, repo: Repository, number: int, *, actor: Actor, logins: Iterable[str]) -> Issue:
        with self._store.transaction():
            issue = self.get(repo, number)
            self._access.require(actor, repo, role="triage")
            before, after = issue.assignees, self._people(repo, logins)
            issue = self._touch(replace(issue, assignees=after))
            for login in before:
                if login not in after:
                    self._record(issue, actor, "unassigned", subject=login)
            for login in after:
                if login not in before:
                    self._record(issue, actor, "assigned", subject=login)
        return issue

    def create_label(
        self, repo: Repository, *, actor: Actor, name: str, color: str = "ededed", description: str = ""
    ) -> Label:
        self._access.require(actor, repo, role="triage")
        with self._store.transaction():
            if self.find_label(repo, name):
                raise Invalid(resource="Label", field="name", code="already_exists")
            return self._store.add(Label(repo_id=repo.id, name=name, color=color, description=description))

    def find_label(self, repo: Repository, name: str) -> Label | None:
        labels = self._store.all(Label, repo_id=repo.id)
        return next((label for label in labels if label.name.lower() == name.lower()), None)

    # Conversation

    def comment(self, repo: Repository, number: int, *, actor: Actor, body: str) -> Comment:
        if not body.strip():
            raise Invalid("Body cannot be blank", resource="IssueComment", field="body", code="missing_field")
        check_body(body)
        with self._store.transaction():
            issue = self.get(repo, number)
            self._access.require(actor, repo, role="read")
            now = self._store.now()
            comment = self._store.add(
                Comment(
                    repo_id=repo.id,
                    number=number,
                    author=actor.login,
                    body=body,
                    created_at=now,
                    updated_at=now,
                    app_id=actor.app_id,
                )
            )
            issue = self._touch(issue)
            self._notices.comment("created", repo, issue, comment, actor)
        return comment

    def edit_comment(self, repo: Repository, comment_id: int, *, actor: Actor, body: str) -> Comment:
        check_body(body)
        with self._store.transaction():
            comment = self._store.get(Comment, repo_id=repo.id, id=comment_id)
            self._require_author_or_write(repo, actor, comment.author)
            edited = self._store.save(replace(comment, body=body, updated_at=self._store.now()))
            issue = self._touch(self.get(repo, comment.number))
            self._notices.comment("edited", repo, issue, edited, actor, before=comment)
        return edited

    def delete_comment(self, repo: Repository, comment_id: int, *, actor: Actor) -> None:
        with self._store.transaction():
            comment = self._store.get(Comment, repo_id=repo.id, id=comment_id)
            self._require_author_or_write(repo, actor, comment.author)
            self._store.remove(comment)
            issue = self._touch(self.get(repo, comment.number))
            self._notices.comment("deleted", repo, issue, comment, actor)

    def react(self, subject: Issue | Comment, *, actor: Actor, content: str) -> Reaction:
        """The same reaction of the same person is there once."""
        if content not in REACTIONS:
            raise Invalid(resource="Reaction", field="content")
        kind = "issue" if isinstance(subject, Issue) else "comment"
        with self._store.transaction():
            there = self._store.find(Reaction, subject=kind, subject_id=subject.id, login=actor.login, content=content)
            return there or self._store.add(
                Reaction(
                    subject=kind,
                    subject_id=subject.id,
                    login=actor.login,
                    content=content,
                    created_at=self._store.now(),
                )
            )

    def reactions(self, subject: Issue | Comment) -> list[Reaction]:
        kind = "issue" if isinstance(subject, Issue) else "comment"
        return self._store.all(Reaction, subject=kind, subject_id=subject.id)

    def record(self, issue: Issue, actor: Actor, event: str, *, commit_id: str | None = None) -> None:
        """An event of a pull request's own, such as `merged`."""
        self._record(issue, actor, event, commit_id=commit_id)

    # Within

    def _next_number(self, repo: Repository) -> int:
        taken = [issue.number for issue in self._store.all(Issue, repo_id=repo.id)]
        taken += [absence.number for absence in self._store.all(Absence, repo_id=repo.id)]
        return max(taken, default=0) + 1

    def _leaving(self, repo: Repository, number: int, actor: Actor, *, role: str) -> Issue:
        issue = self.get(repo, number)
        self._access.require(actor, repo, role=role)
        if issue.is_pull:
            raise Invalid("A pull request can be neither deleted nor transferred.", resource="Issue")
        return issue

    def _touch(self, issue: Issue) -> Issue:
        return self._store.save(replace(issue, updated_at=self._store.now()))

    def _record(
        self,
        issue: Issue,
        actor: Actor,
        event: str,
        *,
        subject: str = "",
        former: str = "",
        commit_id: str | None = None,
        state_reason: str | None = None,
    ) -> None:
        self._store.add(
            TimelineEvent(
                repo_id=issue.repo_id,
                number=issue.number,
                event=event,
                actor=actor.login,
                created_at=self._store.now(),
                subject=subject,
                former=former,
                commit_id=commit_id,
                state_reason=state_reason,
                app_id=actor.app_id,
            )
        )

    def _may_triage(self, repo: Repository, actor: Actor) -> bool:
        try:
            self._access.require(actor, repo, role="triage")
        except Forbidden:
            return False
        return True

    def _require_author_or_triage(self, repo: Repository, actor: Actor, author: str) -> None:
        self._access.require(actor, repo, role="read" if actor.login == author else "triage")

    def _require_author_or_write(self, repo: Repository, actor: Actor, author: str) -> None:
        self._access.require(actor, repo, role="read" if actor.login == author else "write")

    def _existing_labels(self, repo: Repository, actor: Actor, names: Iterable[str]) -> tuple[str, ...]:
        """In the case in which they exist; GitHub makes missing ones on the way."""
        found = []
        for name in dict.fromkeys(names):
            label = self.find_label(repo, name) or self.create_label(repo, actor=actor, name=name)
            found.append(label.name)
        return tuple(dict.fromkeys(found))

    def _people(self, repo: Repository, logins: Iterable[str]) -> tuple[str, ...]:
        """Those who can be assigned; GitHub drops the others in silence."""
        known = {user.login for user in self._store.all(User)}
        return tuple(login for login in dict.fromkeys(logins) if login in known)


def _check_title(title: str) -> None:
    if not title.strip():
        raise Invalid(resource="Issue", field="title", code="missing_field")
    if len(title) > LONGEST_TITLE:
        raise Invalid(f"title is too long (maximum is {LONGEST_TITLE} characters)", resource="Issue", field="title")


def check_body(body: str) -> None:
    if len(body) > LONGEST_BODY:
        raise Invalid(f"body is too long (maximum is {LONGEST_BODY} characters)", resource="Issue", field="body")
