"""The lists of issues and of pull requests."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from bot.local.pages.conversation import standing
from bot.local.pages.shell import Shell, Visit
from bot.local.pages.words import label_hue
from bot.local.rows import CheckRun, Comment, Issue, Label, PullRequest


@dataclass(frozen=True)
class ListRow:
    issue: Issue
    pull: PullRequest | None
    standing: str
    comments: int
    labels: tuple[Label, ...]
    check: CheckRun | None


def labels_of(visit: Visit, issue: Issue) -> tuple[Label, ...]:
    known = {label.name: label for label in visit.hub.store.all(Label, repo_id=visit.repo.id)}
    return tuple(known.get(name) or Label(repo_id=visit.repo.id, name=name) for name in issue.labels)


def label_hues(visit: Visit) -> dict[str, str]:
    return {label.name: label_hue(label) for label in visit.hub.store.all(Label, repo_id=visit.repo.id)}


def list_rows(visit: Visit, *, pulls: bool) -> list[ListRow]:
    """Newest first."""
    issues = [issue for issue in reversed(visit.hub.issues.all(visit.repo)) if issue.is_pull == pulls]
    return [_row(visit, issue) for issue in issues]


def _row(visit: Visit, issue: Issue) -> ListRow:
    pull = visit.hub.pulls.get(visit.repo, issue.number) if issue.is_pull else None
    return ListRow(
        issue=issue,
        pull=pull,
        standing=standing(issue, pull),
        comments=len(visit.hub.store.all(Comment, repo_id=visit.repo.id, number=issue.number)),
        labels=labels_of(visit, issue),
        check=visit.head_check(pull) if pull else None,
    )


class ListPages:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def routes(self) -> APIRouter:
        routes = self._shell.routes()
        routes.add_api_route("/{owner}/{name}/issues", self.issues)
        routes.add_api_route("/{owner}/{name}/pulls", self.pulls)
        return routes

    def issues(
        self, request: Request, owner: str, name: str, state: str = "open", label: str = "", author: str = ""
    ) -> Response:
        return self._list(self._shell.visit(request, owner, name), state, label, author, pulls=False)

    def pulls(
        self, request: Request, owner: str, name: str, state: str = "open", label: str = "", author: str = ""
    ) -> Response:
        return self._list(self._shell.visit(request, owner, name), state, label, author, pulls=True)

    def _list(self, visit: Visit, state: str, label: str, author: str, *, pulls: bool) -> Response:
        rows = [
            row
            for row in list_rows(visit, pulls=pulls)
            if (not label or label in row.issue.labels) and (not author or author == row.issue.author)
        ]
        return self._shell.page(
            visit,
            "list.html",
            tab="pulls" if pulls else "issues",
            rows=[row for row in rows if state == "all" or (row.issue.state == "open") == (state != "closed")],
            counts={word: sum(row.issue.state == word for row in rows) for word in ("open", "closed")},
            state=state,
            label=label,
            author=author,
            labels=visit.hub.store.all(Label, repo_id=visit.repo.id),
        )
