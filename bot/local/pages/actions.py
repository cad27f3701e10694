"""Workflow runs: the list, a run with its live log by steps, its artifacts, cancel and re-run."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from bot.local.pages.shell import HEADERS, Shell, Visit, back_to
from bot.local.refusals import Gone, NotFound
from bot.local.rows import Artifact, CheckRun, WorkflowRun

MOST_LOG = 400_000
"""Bytes of the log's end that a page shows; the whole log is one click away."""

GROUP, END, ERROR = "##[group]", "##[endgroup]", "##[error]"
JOB = "Job"
"""The lines before, between and after the steps."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class LogStep:
    title: str
    lines: list[tuple[str, bool]] = field(default_factory=list)
    """Each with whether it is an error."""
    ended: bool = False

    def standing(self, run: WorkflowRun) -> Literal["success", "failure", "running", "neutral"]:
        if any(is_error for _, is_error in self.lines):
            return "failure"
        if self.ended:
            return "success"
        return "neutral" if run.status == "completed" else "running"


def read_steps(lines: Iterable[str]) -> list[LogStep]:
    steps = [LogStep(JOB, ended=True)]
    for line in lines:
        if line.startswith(GROUP):
            steps.append(LogStep(line.removeprefix(GROUP)))
        elif line.startswith(END):
            steps[-1].ended = True
            steps.append(LogStep(JOB, ended=True))
        else:
            steps[-1].lines.append((_shown(line.removeprefix(ERROR)), line.startswith(ERROR)))
    return [step for step in steps if step.lines or step.title != JOB]


def _shown(line: str) -> str:
    """What a terminal would show in the end: the last state of a progress bar, without colours."""
    return _ANSI.sub("", line.rstrip("\r").rpartition("\r")[2])


def log_end(file: Path) -> tuple[list[str], bool]:
    """The last lines, and whether there are more before them."""
    with file.open("rb") as log:
        length = log.seek(0, 2)
        log.seek(max(0, length - MOST_LOG))
        text = log.read().decode(errors="replace")
    cut = length > MOST_LOG
    lines = text.split("\n")
    return (lines[1:] if cut else lines)[: -1 if text.endswith("\n") else None], cut


def _chunks(file: Path) -> Iterator[bytes]:
    """Without a length told before: it may still grow."""
    with file.open("rb") as log:
        while chunk := log.read(1 << 16):
            yield chunk


class ActionPages:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._hub = shell.hub

    def routes(self) -> APIRouter:
        routes = self._shell.routes()
        run = "/{owner}/{name}/actions/runs/{run_id}"
        routes.add_api_route("/{owner}/{name}/actions", self.runs)
        routes.add_api_route(run, self.run)
        routes.add_api_route(f"{run}/log", self.log)
        routes.add_api_route(f"{run}/artifacts/{{artifact_id}}", self.artifact)
        routes.add_api_route(f"{run}/cancel", self.cancel, methods=["POST"])
        routes.add_api_route(f"{run}/rerun", self.rerun, methods=["POST"])
        routes.add_api_route("/{owner}/{name}/runs/{check_id}", self.check)
        return routes

    def runs(self, request: Request, owner: str, name: str) -> Response:
        visit = self._shell.visit(request, owner, name)
        runs = self._hub.store.all(WorkflowRun, newest_first=True, repo_id=visit.repo.id)
        return self._shell.page(visit, "runs.html", tab="actions", runs=runs)

    def run(self, request: Request, owner: str, name: str, run_id: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        run = self._find(visit, run_id)
        lines, cut = log_end(self._hub.jobs.live_log(run_id))
        artifacts = self._hub.store.all(Artifact, repo_id=visit.repo.id, run_id=run_id)
        return self._shell.page(
            visit,
            "run.html",
            tab="actions",
            run=run,
            steps=read_steps(lines),
            cut=cut,
            artifacts=artifacts,
            now=self._hub.store.now(),
            may_write=visit.may("write"),
            job_title=JOB,
        )

    def log(self, request: Request, owner: str, name: str, run_id: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        self._find(visit, run_id)
        file = self._hub.jobs.live_log(run_id)
        return StreamingResponse(_chunks(file), media_type="text/plain; charset=utf-8", headers=HEADERS)

    def artifact(self, request: Request, owner: str, name: str, run_id: int, artifact_id: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        artifact = self._hub.store.get(Artifact, repo_id=visit.repo.id, run_id=run_id, id=artifact_id)
        if artifact.expires_at <= self._hub.store.now():
            raise Gone(f"The artifact {artifact.name} has expired.")
        file = self._hub.jobs.artifact_file(artifact)
        return FileResponse(file, media_type="application/zip", filename=f"{artifact.name}.zip", headers=HEADERS)

    def cancel(self, request: Request, owner: str, name: str, run_id: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        self._hub.jobs.cancel(visit.repo, run_id, actor=visit.actor)
        return back_to(f"{visit.base}/actions/runs/{run_id}")

    def rerun(self, request: Request, owner: str, name: str, run_id: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        self._hub.jobs.rerun(visit.repo, run_id, actor=visit.actor)
        return back_to(f"{visit.base}/actions/runs/{run_id}")

    def check(self, request: Request, owner: str, name: str, check_id: int) -> Response:
        """The address that the REST gives a check run; it is shown on its commit's page."""
        visit = self._shell.visit(request, owner, name)
        check = self._hub.store.get(CheckRun, repo_id=visit.repo.id, id=check_id)
        return back_to(f"{visit.base}/commit/{check.head_sha}#check-{check.id}")

    def _find(self, visit: Visit, run_id: int) -> WorkflowRun:
        run = self._hub.store.find(WorkflowRun, repo_id=visit.repo.id, id=run_id)
        if run is None:
            raise NotFound(f"There is no workflow run {run_id} here.")
        return run
