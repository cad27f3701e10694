"""Routes: workflows, their runs and artifacts; and the storage that an artifact's download is redirected to."""

import hashlib
import hmac
import secrets
import time
from dataclasses import replace
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel

from bot.local.answers_base import Json
from bot.local.expressions import text_of
from bot.local.hub import Hub
from bot.local.refusals import Gone, Invalid
from bot.local.rest_base import Here, Listed, Page, Paging, TheHub, Visit, new_router
from bot.local.rows import Artifact, Setting, WorkflowRun

in_repo = new_router()
storage = APIRouter()

ALWAYS_DETAILS = "2026-03-10"
"""Since this version of the API, a dispatch always answers with its run."""
LINK_LIFE = 60
"""Seconds that a download link is good for."""


class Dispatch(BaseModel):
    ref: str
    inputs: dict[str, str | bool | float] = {}
    return_run_details: bool = False


@in_repo.get("/actions/workflows/{file}")
def get_workflow(here: Here, file: str) -> Json:
    return here.answers.workflow(here.repo, here.hub.jobs.workflow(here.repo, file))


@in_repo.post("/actions/workflows/{file}/dispatches", response_model=None)
def dispatch(here: Here, file: str, asked: Dispatch) -> Response:
    inputs = {name: text_of(value) for name, value in asked.inputs.items()}
    run = here.hub.jobs.dispatch(here.repo, file, actor=here.actor, ref=asked.ref, inputs=inputs)
    if not asked.return_run_details and here.request.headers.get("x-github-api-version", "") < ALWAYS_DETAILS:
        return Response(status_code=204)
    answer = here.answers.run(here.repo, run)
    return JSONResponse({"workflow_run_id": run.id, "run_url": answer["url"], "html_url": answer["html_url"]})


@in_repo.get("/actions/workflows/{file}/runs")
def list_runs_of_workflow(
    here: Here,
    listed: Listed,
    page: Paging,
    file: str,
    created: str = "",
    event: str | None = None,
    branch: str | None = None,
    status: str | None = None,
) -> Json:
    workflow = here.hub.jobs.workflow(here.repo, file)
    runs = listed.store.all(WorkflowRun, repo_id=here.repo.id, workflow_id=workflow.id)
    return _runs(here, listed, page, runs, created=created, event=event, branch=branch, status=status)


@in_repo.get("/actions/runs")
def list_runs(
    here: Here,
    listed: Listed,
    page: Paging,
    created: str = "",
    event: str | None = None,
    branch: str | None = None,
    status: str | None = None,
) -> Json:
    runs = listed.store.all(WorkflowRun, repo_id=here.repo.id)
    return _runs(here, listed, page, runs, created=created, event=event, branch=branch, status=status)


def _runs(
    here: Visit,
    listed: Hub,
    page: Page,
    runs: list[WorkflowRun],
    *,
    created: str,
    event: str | None,
    branch: str | None,
    status: str | None,
) -> Json:
    """Newest first; `status` may name a conclusion, too."""
    found = [
        run
        for run in reversed(runs)
        if event in (None, run.event)
        and branch in (None, run.head_branch)
        and status in (None, run.status, run.conclusion)
        and _in_range(run.created_at, created)
    ]
    rendered = [listed.answers.run(here.repo, run) for run in page.cut(found)]
    return {"total_count": len(found), "workflow_runs": rendered}


def _in_range(time: datetime, created: str) -> bool:
    """`>=2026-11-23`, `<2026-11-23T10:00:00Z`, `2026-11-01..2026-11-23`, or a day."""
    if not created:
        return True
    start, dots, end = created.partition("..")
    if dots:
        return (start == "*" or time >= _moment(start)) and (end == "*" or time <= _moment(end, end=True))
    if created.startswith(">="):
        return time >= _moment(created[2:])
    if created.startswith("<="):
        return time <= _moment(created[2:], end=True)
    if created.startswith(">"):
        return time > _moment(created[1:], end=True)
    if created.startswith("<"):
        return time < _moment(created[1:])
    return _moment(created) <= time <= _moment(created, end=True)


def _moment(text: str, *, end: bool = False) -> datetime:
    clock = ("T23:59:59" if end else "T00:00:00") if "T" not in text else ""
    zone = "" if "Z" in text or "+" in text else "+00:00"
    try:
        return datetime.fromisoformat(f"{text}{clock}{zone}")
    except ValueError as error:
        raise Invalid(resource="WorkflowRun", field="created") from error


@in_repo.get("/actions/runs/{run_id}")
def get_run(here: Here, run_id: int) -> Json:
    return here.answers.run(here.repo, _run(here, run_id))


@in_repo.post("/actions/runs/{run_id}/cancel", status_code=202)
def cancel(here: Here, run_id: int) -> Json:
    here.hub.jobs.cancel(here.repo, run_id, actor=here.actor)
    return {}


@in_repo.post("/actions/runs/{run_id}/rerun", status_code=201)
def rerun(here: Here, run_id: int) -> Json:
    here.hub.jobs.rerun(here.repo, run_id, actor=here.actor)
    return {}


@in_repo.get("/actions/runs/{run_id}/artifacts")
def list_artifacts(here: Here, listed: Listed, run_id: int, page: Paging, name: str | None = None) -> Json:
    found = [
        _ageing(here, artifact)
        for artifact in reversed(listed.store.all(Artifact, run_id=_run(here, run_id).id))
        if name in (None, artifact.name)
    ]
    rendered = [listed.answers.artifact(here.repo, artifact) for artifact in page.cut(found)]
    return {"total_count": len(found), "artifacts": rendered}


def _ageing(here: Visit, artifact: Artifact) -> Artifact:
    life = here.faults.artifact_life
    if life is None:
        return artifact
    return replace(artifact, expires_at=min(artifact.expires_at, artifact.created_at + timedelta(seconds=life)))


@in_repo.get("/actions/artifacts/{artifact_id}/zip", response_model=None)
def download(here: Here, artifact_id: int) -> Response:
    """Elsewhere, for a minute, and without the token."""
    artifact = _ageing(here, here.hub.store.get(Artifact, repo_id=here.repo.id, id=artifact_id))
    if artifact.expires_at <= here.hub.store.now():
        raise Gone("Artifact has expired")
    expires = int(time.time()) + LINK_LIFE
    signature = _sign(here.hub, artifact_id, expires)
    return RedirectResponse(f"{here.answers.html}/_storage/{artifact_id}?expires={expires}&sig={signature}", 302)


@storage.get("/_storage/{artifact_id}", response_model=None)
def stored(request: Request, hub: TheHub, artifact_id: int, expires: int, sig: str) -> Response:
    """As strict as the real one: a request that carries a token is refused."""
    if "authorization" in request.headers:
        return PlainTextResponse("AuthenticationFailed: the link is signed, send no Authorization", 401)
    if expires < time.time() or not hmac.compare_digest(sig, _sign(hub, artifact_id, expires)):
        return PlainTextResponse("AuthenticationFailed: the link is not valid, or no longer", 403)
    artifact = hub.store.find(Artifact, id=artifact_id)
    if artifact is None:
        return PlainTextResponse("BlobNotFound", 404)
    return FileResponse(hub.jobs.artifact_file(artifact), media_type="application/zip", filename=f"{artifact.name}.zip")


def _sign(hub: Hub, artifact_id: int, expires: int) -> str:
    with hub.store.transaction():
        key = hub.store.find(Setting, name="storage key")
        key = key or hub.store.add(Setting(name="storage key", value=secrets.token_hex(32)))
    return hmac.new(key.value.encode(), f"{artifact_id}:{expires}".encode(), hashlib.sha256).hexdigest()


def _run(here: Visit, run_id: int) -> WorkflowRun:
    return here.hub.store.get(WorkflowRun, repo_id=here.repo.id, id=run_id)
