"""Routes: issues, their comments, labels, reactions and timeline."""

from datetime import datetime

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from bot.local.answers_base import Json
from bot.local.hub import Hub
from bot.local.refusals import Invalid, Moved, NotFound
from bot.local.rest_base import DOCUMENTATION, Here, HereById, Listed, Paging, Visit, in_order, new_router
from bot.local.rows import Comment, Issue, Label, Repository

in_repo = new_router()
by_id = new_router()


class LabelName(BaseModel):
    name: str


LabelNames = list[str | LabelName]


class NewIssue(BaseModel):
    title: str
    body: str | None = None
    labels: LabelNames = []
    assignees: list[str] = []


class IssueChange(BaseModel):
    """What is not mentioned stays; `model_fields_set` tells."""

    title: str | None = None
    body: str | None = None
    state: str | None = None
    state_reason: str | None = None
    labels: LabelNames | None = None
    assignees: list[str] | None = None


class Body(BaseModel):
    body: str


class Labels(BaseModel):
    labels: LabelNames


class NewLabel(BaseModel):
    name: str
    color: str = "ededed"
    description: str | None = None


class NewReaction(BaseModel):
    content: str


@in_repo.get("/issues")
def list_issues(
    here: Here,
    listed: Listed,
    page: Paging,
    state: str = "open",
    labels: str = "",
    creator: str | None = None,
    since: datetime | None = None,
    sort: str = "created",
    direction: str = "desc",
) -> list[Json]:
    """Pull requests are issues, too."""
    wanted = {label.lower() for label in labels.split(",") if label}
    found = [
        issue
        for issue in listed.issues.all(here.repo)
        if state in ("all", issue.state)
        and wanted <= {label.lower() for label in issue.labels}
        and creator in (None, issue.author)
        and (since is None or issue.updated_at >= since)
    ]
    keys = {
        "created": lambda issue: (issue.created_at, issue.id),
        "updated": lambda issue: (issue.updated_at, issue.id),
        "comments": lambda issue: (listed.store.count(Comment, repo_id=here.repo.id, number=issue.number), issue.id),
    }
    if sort not in keys:
        raise Invalid(resource="Issue", field="sort")
    found = in_order(found, key=keys[sort], direction=direction)
    return [listed.answers.issue(here.repo, issue) for issue in page.cut(found)]


@in_repo.post("/issues", status_code=201)
def open_issue(here: Here, new: NewIssue) -> Json:
    issue = here.hub.issues.open(
        here.repo,
        actor=here.actor,
        title=new.title,
        body=new.body or "",
        labels=_names(new.labels),
        assignees=new.assignees,
    )
    return here.answers.issue(here.repo, issue)


@in_repo.get("/issues/comments")
def list_comments_of_all(
    here: Here,
    listed: Listed,
    page: Paging,
    since: datetime | None = None,
    sort: str = "created",
    direction: str = "asc",
) -> list[Json]:
    found = [one for one in listed.store.all(Comment, repo_id=here.repo.id) if since is None or one.updated_at >= since]
    by_update = sort == "updated"
    found = in_order(
        found, key=lambda one: (one.updated_at if by_update else one.created_at, one.id), direction=direction
    )
    return [listed.answers.comment(here.repo, comment) for comment in page.cut(found)]


@in_repo.get("/issues/comments/{comment_id}")
def get_comment(here: Here, comment_id: int) -> Json:
    return here.answers.comment(here.repo, _comment(here, comment_id))


@in_repo.patch("/issues/comments/{comment_id}")
def edit_comment(here: Here, comment_id: int, new: Body) -> Json:
    edited = here.hub.issues.edit_comment(here.repo, comment_id, actor=here.actor, body=new.body)
    return here.answers.comment(here.repo, edited)


@in_repo.delete("/issues/comments/{comment_id}", status_code=204)
def delete_comment(here: Here, comment_id: int) -> Response:
    here.hub.issues.delete_comment(here.repo, comment_id, actor=here.actor)
    return Response(status_code=204)


@in_repo.get("/issues/comments/{comment_id}/reactions")
def list_comment_reactions(here: Here, listed: Listed, comment_id: int, page: Paging) -> list[Json]:
    return _reactions(listed, _comment(here, comment_id), page)


@in_repo.post("/issues/comments/{comment_id}/reactions", status_code=201)
def react_to_comment(here: Here, comment_id: int, new: NewReaction, response: Response) -> Json:
    return _react(here, _comment(here, comment_id), new, response)


@in_repo.get("/issues/{number}", response_model=None)
def get_issue(here: Here, number: int) -> Json | Response:
    try:
        return here.answers.issue(here.repo, here.hub.issues.get(here.repo, number))
    except Moved as moved:
        return _redirected(here, moved)


@by_id.get("/issues/{number}", response_model=None)
def get_issue_by_id(here: HereById, number: int) -> Json | Response:
    return get_issue(here, number)


@in_repo.patch("/issues/{number}", response_model=None)
def change_issue(here: Here, number: int, change: IssueChange) -> Json | Response:
    try:
        return _changed(here, number, change)
    except Moved as moved:
        return _redirected(here, moved)


@by_id.patch("/issues/{number}", response_model=None)
def change_issue_by_id(here: HereById, number: int, change: IssueChange) -> Json | Response:
    return change_issue(here, number, change)


def _redirected(here: Visit, moved: Moved) -> Response:
    """To its new place, if the caller may know of it; what belongs to the issue is not redirected."""
    if not here.hub.access.sees(here.actor, here.hub.store.get(Repository, id=moved.repo_id)):
        raise NotFound
    url = f"{here.answers.api}/repositories/{moved.repo_id}/issues/{moved.number}"
    body = {"message": "Moved Permanently", "url": url, "documentation_url": DOCUMENTATION}
    return JSONResponse(body, status_code=301, headers={"Location": url})


def _changed(here: Visit, number: int, change: IssueChange) -> Json:
    issues, given = here.hub.issues, change.model_fields_set
    issues.get(here.repo, number)
    with here.hub.store.transaction():
        if given & {"title", "body"}:
            body = (change.body or "") if "body" in given else None
            issues.edit(here.repo, number, actor=here.actor, title=change.title, body=body)
        if change.labels is not None:
            issues.set_labels(here.repo, number, actor=here.actor, names=_names(change.labels))
        if change.assignees is not None:
            issues.set_assignees(here.repo, number, actor=here.actor, logins=change.assignees)
        if change.state is not None:
            set_state(here, number, change.state, change.state_reason)
    return here.answers.issue(here.repo, issues.get(here.repo, number))


def set_state(here: Visit, number: int, state: str, reason: str | None = None) -> None:
    if state == "closed":
        here.hub.issues.close(here.repo, number, actor=here.actor, reason=reason)
    elif state != "open":
        raise Invalid(resource="Issue", field="state")
    elif here.hub.issues.get(here.repo, number).is_pull:
        here.hub.pulls.reopen(here.repo, number, actor=here.actor)
    else:
        here.hub.issues.reopen(here.repo, number, actor=here.actor)


@in_repo.get("/issues/{number}/comments")
def list_comments(here: Here, listed: Listed, number: int, page: Paging, since: datetime | None = None) -> list[Json]:
    here.hub.issues.get(here.repo, number)
    found = [one for one in listed.issues.comments(here.repo, number) if since is None or one.updated_at >= since]
    return [listed.answers.comment(here.repo, comment) for comment in page.cut(found)]


@in_repo.post("/issues/{number}/comments", status_code=201)
def comment(here: Here, number: int, new: Body) -> Json:
    made = here.hub.issues.comment(here.repo, number, actor=here.actor, body=new.body)
    return here.answers.comment(here.repo, made)


@in_repo.get("/issues/{number}/timeline")
def timeline(here: Here, listed: Listed, number: int, page: Paging) -> list[Json]:
    here.hub.issues.get(here.repo, number)
    events = listed.issues.timeline(here.repo, number)
    comments = listed.issues.comments(here.repo, number)
    lines = [
        *((event.id, listed.answers.timeline_event(here.repo, event)) for event in events),
        *((one.id, listed.answers.commented(here.repo, one)) for one in comments),
    ]
    return [line for _, line in page.cut(sorted(lines, key=lambda line: line[0]))]


@in_repo.get("/issues/{number}/reactions")
def list_reactions(here: Here, listed: Listed, number: int, page: Paging) -> list[Json]:
    return _reactions(listed, here.hub.issues.get(here.repo, number), page)


@in_repo.post("/issues/{number}/reactions", status_code=201)
def react(here: Here, number: int, new: NewReaction, response: Response) -> Json:
    return _react(here, here.hub.issues.get(here.repo, number), new, response)


@in_repo.get("/issues/{number}/labels")
def issue_labels(here: Here, listed: Listed, number: int, page: Paging) -> list[Json]:
    here.hub.issues.get(here.repo, number)
    then = listed.store.find(Issue, repo_id=here.repo.id, number=number)
    return [*page.cut(listed.answers.labels(here.repo, then) if then else [])]


@in_repo.post("/issues/{number}/labels")
def add_labels(here: Here, number: int, new: Labels | LabelNames) -> list[Json]:
    names = _names(new.labels if isinstance(new, Labels) else new)
    issue = here.hub.issues.add_labels(here.repo, number, actor=here.actor, names=names)
    return here.answers.labels(here.repo, issue)


@in_repo.delete("/issues/{number}/labels/{label}")
def remove_label(here: Here, number: int, label: str) -> list[Json]:
    issue = here.hub.issues.remove_label(here.repo, number, actor=here.actor, name=label)
    return here.answers.labels(here.repo, issue)


@in_repo.get("/labels")
def list_labels(here: Here, listed: Listed, page: Paging) -> list[Json]:
    labels = listed.store.all(Label, repo_id=here.repo.id)
    return [here.answers.label(here.repo, label) for label in page.cut(labels)]


@in_repo.post("/labels", status_code=201)
def create_label(here: Here, new: NewLabel) -> Json:
    label = here.hub.issues.create_label(
        here.repo, actor=here.actor, name=new.name, color=new.color, description=new.description or ""
    )
    return here.answers.label(here.repo, label)


@in_repo.get("/labels/{label}")
def get_label(here: Here, label: str) -> Json:
    found = here.hub.issues.find_label(here.repo, label)
    if found is None:
        raise NotFound
    return here.answers.label(here.repo, found)


def _comment(here: Visit, comment_id: int) -> Comment:
    return here.hub.store.get(Comment, repo_id=here.repo.id, id=comment_id)


def _names(labels: LabelNames) -> list[str]:
    return [label if isinstance(label, str) else label.name for label in labels]


def _reactions(listed: Hub, subject: Issue | Comment, page: Paging) -> list[Json]:
    return [listed.answers.reaction(reaction) for reaction in page.cut(listed.issues.reactions(subject))]


def _react(here: Visit, subject: Issue | Comment, new: NewReaction, response: Response) -> Json:
    before = here.hub.issues.reactions(subject)
    reaction = here.hub.issues.react(subject, actor=here.actor, content=new.content)
    if reaction in before:
        response.status_code = 200
    return here.answers.reaction(reaction)
