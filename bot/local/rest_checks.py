"""Routes: check runs."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from bot.local.answers_base import Json
from bot.local.checks import MOST_ANNOTATIONS
from bot.local.refusals import Invalid, NotFound
from bot.local.rest_base import Here, Listed, Paging, new_router
from bot.local.rows import CheckRun

in_repo = new_router()


class Output(BaseModel):
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = []


class CheckChange(BaseModel):
    """What is not mentioned stays; `model_fields_set` tells."""

    name: str | None = None
    details_url: str | None = None
    external_id: str | None = None
    status: str | None = None
    conclusion: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: Output | None = None


class NewCheck(CheckChange):
    name: str
    head_sha: str


@in_repo.post("/check-runs", status_code=201)
def create_check(here: Here, new: NewCheck) -> Json:
    blank = CheckRun(
        repo_id=here.repo.id, app_id=here.actor.app_id or 0, name=new.name, head_sha=new.head_sha, status="queued"
    )
    check = here.hub.checks.create(here.repo, _changed(blank, new), actor=here.actor)
    return here.answers.check(here.repo, check)


@in_repo.patch("/check-runs/{check_id}")
def change_check(here: Here, check_id: int, change: CheckChange) -> Json:
    before = here.hub.store.get(CheckRun, repo_id=here.repo.id, id=check_id)
    check = here.hub.checks.update(here.repo, _changed(before, change), actor=here.actor)
    return here.answers.check(here.repo, check)


@in_repo.get("/commits/{ref:path}/check-runs")
def list_checks(
    here: Here,
    listed: Listed,
    page: Paging,
    ref: str,
    check_name: str | None = None,
    status: str | None = None,
    app_id: int | None = None,
    which: Annotated[str, Query(alias="filter")] = "latest",
) -> Json:
    sha = here.hub.repos.resolve(here.repo, ref)
    if sha is None:
        raise NotFound(f"No commit found for SHA: {ref}")
    found = [
        check
        for check in reversed(listed.checks.of_commit(here.repo, sha))
        if check_name in (None, check.name) and status in (None, check.status) and app_id in (None, check.app_id)
    ]
    if which == "latest":
        newest = {(check.app_id, check.name): check for check in reversed(found)}
        found = [check for check in found if newest[check.app_id, check.name] == check]
    rendered = [listed.answers.check(here.repo, check) for check in page.cut(found)]
    return {"total_count": len(found), "check_runs": rendered}


def _changed(check: CheckRun, change: CheckChange) -> CheckRun:
    names = ("name", "details_url", "external_id", "status", "conclusion", "started_at", "completed_at")
    given = {name: getattr(change, name) for name in names if name in change.model_fields_set}
    if given.get("status") not in (None, "queued", "in_progress", "completed"):
        raise Invalid(resource="CheckRun", field="status")
    check = replace(check, **given)
    if change.output is None:
        return check
    if len(change.output.annotations) > MOST_ANNOTATIONS:
        raise Invalid(resource="CheckRun", field="annotations")
    given = {
        name: getattr(change.output, name)
        for name in ("title", "summary", "text")
        if name in change.output.model_fields_set
    }
    return replace(check, **given, annotations=check.annotations + len(change.output.annotations))
