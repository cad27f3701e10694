"""A pull request's pages: the conversation with its merge box, the commits, the changed files; merge and review."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from markupsafe import Markup

from bot.local.pages.changes import changed_files
from bot.local.pages.code import read_commits
from bot.local.pages.conversation import Conversation, standing
from bot.local.pages.issues import may_edit, offered_labels
from bot.local.pages.listing import label_hues, labels_of
from bot.local.pages.shell import Shell, Visit, back_to, plain_lines
from bot.local.rows import CheckRun, Issue, PullRequest

METHODS = {
    "merge": ("Create a merge commit", "All commits are added to {base} by a merge commit."),
    "squash": ("Squash and merge", "All changes become one commit on {base}."),
    "rebase": ("Rebase and merge", "All commits are put on top of {base}, one by one."),
}

Text = Annotated[str, Form()]


@dataclass(frozen=True)
class CheckView:
    check: CheckRun
    summary: Markup
    text: Markup


@dataclass(frozen=True)
class PullView:
    """What the head of each of the pull request's tabs shows."""

    issue: Issue
    pull: PullRequest
    standing: str
    checks: tuple[CheckView, ...]
    commits: int
    files: int
    additions: int
    deletions: int
    branch_exists: bool

    @property
    def running(self) -> bool:
        return any(view.check.status != "completed" for view in self.checks)


class PullPages:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._hub = shell.hub

    def routes(self) -> APIRouter:
        routes = self._shell.routes()
        pull = "/{owner}/{name}/pull/{number}"
        routes.add_api_route(pull, self.conversation)
        routes.add_api_route(f"{pull}/commits", self.commits)
        routes.add_api_route(f"{pull}/files", self.files)
        routes.add_api_route(f"{pull}/merge", self.merge, methods=["POST"])
        routes.add_api_route(f"{pull}/review", self.review, methods=["POST"])
        routes.add_api_route(f"{pull}/delete-branch", self.delete_branch, methods=["POST"])
        return routes

    def conversation(self, request: Request, owner: str, name: str, number: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        issue = self._hub.issues.get(visit.repo, number)
        if not issue.is_pull:
            return back_to(f"{visit.base}/issues/{number}")
        view = self._view(visit, number)
        conversation = Conversation(visit, issue)
        return self._shell.page(
            visit,
            "pull.html",
            tab="pulls",
            part="conversation",
            view=view,
            issue=issue,
            first=conversation.first_post(),
            entries=conversation.entries(),
            labels=labels_of(visit, issue),
            hues=label_hues(visit),
            offered=offered_labels(visit, issue),
            may_edit=may_edit(visit, issue),
            may_write=visit.may("write"),
            mergeable=self._hub.pulls.mergeable(visit.repo, number) if issue.state == "open" else None,
            methods=METHODS,
        )

    def commits(self, request: Request, owner: str, name: str, number: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        commits = read_commits(visit.git, self._hub.pulls.commits(visit.repo, number))
        view = self._view(visit, number)
        return self._shell.page(visit, "pull_commits.html", tab="pulls", part="commits", view=view, commits=commits)

    def files(self, request: Request, owner: str, name: str, number: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        pull = self._hub.pulls.get(visit.repo, number)
        changes = self._hub.pulls.files(visit.repo, number)
        files = changed_files(visit.git, _left_base_at(visit, pull), pull.head_sha, changes)
        view = self._view(visit, number)
        return self._shell.page(visit, "pull_files.html", tab="pulls", part="files", view=view, files=files)

    # Forms

    def merge(
        self, request: Request, owner: str, name: str, number: int, method: Text = "merge", sha: Text = ""
    ) -> Response:
        """`sha` is the head that the person saw: what came since must be looked at first."""
        visit = self._shell.visit(request, owner, name)
        self._hub.pulls.merge(visit.repo, number, actor=visit.actor, method=method, sha=sha or None)
        return back_to(f"{visit.base}/pull/{number}#merge-box")

    def review(self, request: Request, owner: str, name: str, number: int, event: Text, body: Text = "") -> Response:
        visit = self._shell.visit(request, owner, name)
        review = self._hub.pulls.review(visit.repo, number, actor=visit.actor, event=event, body=plain_lines(body))
        return back_to(f"{visit.base}/pull/{number}#pullrequestreview-{review.id}")

    def delete_branch(self, request: Request, owner: str, name: str, number: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        self._hub.pulls.delete_branch(visit.repo, number, actor=visit.actor)
        return back_to(f"{visit.base}/pull/{number}#merge-box")

    def _view(self, visit: Visit, number: int) -> PullView:
        issue, pull = self._hub.issues.get(visit.repo, number), self._hub.pulls.get(visit.repo, number)
        changes = self._hub.pulls.files(visit.repo, number)
        checks = self._hub.checks.of_commit(visit.repo, pull.head_sha)
        return PullView(
            issue=issue,
            pull=pull,
            standing=standing(issue, pull),
            checks=tuple(CheckView(one, visit.comment(one.summary), visit.comment(one.text)) for one in checks),
            commits=len(self._hub.pulls.commits(visit.repo, number)),
            files=len(changes),
            additions=sum(change.additions for change in changes),
            deletions=sum(change.deletions for change in changes),
            branch_exists=visit.git.resolve(f"refs/heads/{pull.head_ref}") is not None,
        )


def _left_base_at(visit: Visit, pull: PullRequest) -> str:
    """Where the branch left the base: the left side of its diff."""
    tip = None if pull.merged else visit.git.resolve(f"refs/heads/{pull.base_ref}")
    return visit.git.merge_base(tip or pull.base_sha, pull.head_sha) or pull.base_sha
