"""Routes: pull requests, merging, reviews, files."""

from datetime import datetime

from pydantic import BaseModel

from bot.local.answers_base import Json
from bot.local.rest_base import Here, Listed, Paging, Visit, in_order, new_router
from bot.local.rest_issues import set_state
from bot.local.rows import Issue

in_repo = new_router()


class NewPull(BaseModel):
    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False


class PullChange(BaseModel):
    title: str | None = None
    body: str | None = None
    state: str | None = None


class Merge(BaseModel):
    commit_title: str | None = None
    commit_message: str | None = None
    merge_method: str = "merge"
    sha: str | None = None


class NewReview(BaseModel):
    event: str = "COMMENT"
    body: str | None = None
    commit_id: str | None = None


@in_repo.get("/pulls")
def list_pulls(
    here: Here,
    listed: Listed,
    page: Paging,
    state: str = "open",
    head: str | None = None,
    base: str | None = None,
    sort: str = "created",
    direction: str | None = None,
) -> list[Json]:
    """`head` is owner:branch, and finds pull requests also after the branch is gone."""
    pulls = listed.pulls.all(here.repo)
    issues = {issue.number: issue for issue in listed.issues.all(here.repo)}
    found = [
        issues[pull.number]
        for pull in pulls
        if state in ("all", issues[pull.number].state)
        and head in (None, f"{here.repo.owner}:{pull.head_ref}")
        and base in (None, pull.base_ref)
    ]

    def key(issue: Issue) -> tuple[datetime, int]:
        return (issue.updated_at if sort == "updated" else issue.created_at), issue.id

    found = in_order(found, key=key, direction=direction or ("desc" if sort == "created" else "asc"))
    return [listed.answers.pull(here.repo, issue) for issue in page.cut(found)]


@in_repo.post("/pulls", status_code=201)
def open_pull(here: Here, new: NewPull) -> Json:
    issue = here.hub.pulls.open(
        here.repo,
        actor=here.actor,
        title=new.title,
        body=new.body or "",
        head=new.head,
        base=new.base,
        draft=new.draft,
    )
    return _whole(here, issue.number)


@in_repo.get("/pulls/{number}")
def get_pull(here: Here, number: int) -> Json:
    return _whole(here, number)


@in_repo.patch("/pulls/{number}")
def change_pull(here: Here, number: int, change: PullChange) -> Json:
    given = change.model_fields_set
    with here.hub.store.transaction():
        here.hub.pulls.get(here.repo, number)
        if given & {"title", "body"}:
            body = (change.body or "") if "body" in given else None
            here.hub.issues.edit(here.repo, number, actor=here.actor, title=change.title, body=body)
        if change.state is not None:
            set_state(here, number, change.state)
    return _whole(here, number)


@in_repo.put("/pulls/{number}/merge")
def merge_pull(here: Here, number: int, merge: Merge | None = None) -> Json:
    asked = merge or Merge()
    sha = here.hub.pulls.merge(
        here.repo,
        number,
        actor=here.actor,
        method=asked.merge_method,
        sha=asked.sha,
        title=asked.commit_title,
        message=asked.commit_message,
    )
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


@in_repo.get("/pulls/{number}/reviews")
def list_reviews(here: Here, listed: Listed, number: int, page: Paging) -> list[Json]:
    here.hub.pulls.get(here.repo, number)
    reviews = listed.pulls.reviews(here.repo, number)
    return [listed.answers.review(here.repo, review) for review in page.cut(reviews)]


@in_repo.post("/pulls/{number}/reviews")
def review(here: Here, number: int, new: NewReview) -> Json:
    made = here.hub.pulls.review(
        here.repo, number, actor=here.actor, event=new.event, body=new.body or "", commit=new.commit_id
    )
    return here.answers.review(here.repo, made)


@in_repo.get("/pulls/{number}/files")
def list_files(here: Here, number: int, page: Paging) -> list[Json]:
    head = here.hub.pulls.get(here.repo, number).head_sha
    return [here.answers.file(here.repo, head, file) for file in page.cut(here.hub.pulls.files(here.repo, number))]


def _whole(here: Visit, number: int) -> Json:
    here.hub.pulls.get(here.repo, number)
    computed = here.hub.pulls.resting(here.repo, number) >= here.faults.mergeable_after
    return here.answers.whole_pull(here.repo, here.hub.issues.get(here.repo, number), computed=computed)
