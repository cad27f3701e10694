"""One attempt of a workflow run: its jobs and steps one after the other, as children of ours, into one live log."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.local.expressions import Contexts, Template, Unreadable, Value, text_of, truth
from bot.local.processes import HEARING, TRACKING, Child, kill_tracked
from bot.local.rows import Repository, WorkflowRun
from bot.local.uploads import Upload, UploadRefused
from bot.local.workflow import CHECKOUT, Job, Step, WorkflowFile

AFTER_CANCEL = 300.0
"""Seconds that `always()` steps have after a cancel."""


@dataclass(frozen=True)
class Order:
    """What is to be executed, and where."""

    repo: Repository
    run: WorkflowRun
    spec: WorkflowFile
    git_folder: Path
    work: Path
    log: Path
    url: str
    mark: str
    environment: Mapping[str, str]
    upload: Callable[[Upload], None]


@dataclass
class StepResult:
    outcome: str
    conclusion: str
    outputs: dict[str, str]


class Execution:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._cancelled = False
        self._stopped = False
        self._status = "success"
        self._steps: dict[str, StepResult] = {}
        self._env: dict[str, str] = {}
        self._path: list[str] = []

    # From other threads

    def cancel(self) -> None:
        """The running step is ended, the steps with `always()` still run."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            child = self._child
        self._say("The operation was canceled.")
        if child:
            threading.Thread(target=child.stop, name="cancel", daemon=True).start()

    def stop(self) -> None:
        """At once, and nothing after it: the stand-in is shutting down."""
        with self._lock:
            self._cancelled = self._stopped = True
            child = self._child
        if child:
            child.stop(interrupt=0, terminate=1.5)
        kill_tracked(self._order.mark, seconds=1.0)

    @property
    def stopped(self) -> bool:
        return self._stopped

    # In its own thread

    def execute(self) -> str:
        """The conclusion of the attempt."""
        order = self._order
        (order.work / "temp").mkdir(parents=True, exist_ok=True)
        try:
            conclusions = [self._job(job) for job in order.spec.jobs]
        finally:
            kill_tracked(order.mark)
            shutil.rmtree(order.work, ignore_errors=True)
        for worst in ("cancelled", "failure"):
            if worst in conclusions:
                return worst
        return "success" if "success" in conclusions else "skipped"

    def _job(self, job: Job) -> str:
        self._status = "cancelled" if self._cancelled else "success"
        self._steps, self._env, self._path = {}, {}, []
        contexts = self._contexts(job, {})
        if not truth(job.condition.evaluate(contexts)):
            return "skipped"
        workspace = self._workspace()
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True)
        self._say(f"Job: {job.name.fill(contexts)} (runs-on: {job.runs_on.fill(contexts)})")
        timer = threading.Timer(60 * float(job.minutes.fill(contexts)), self._out_of_time)
        timer.daemon = True
        timer.start()
        try:
            for at, step in enumerate(job.steps, start=1):
                if self._stopped:
                    break
                self._take(job, step, step.id or f"__{at}")
        finally:
            timer.cancel()
        self._say(f"Job concluded: {self._status}")
        return self._status

    def _out_of_time(self) -> None:
        self._say("The job has exceeded its timeout-minutes.")
        self.cancel()

    def _take(self, job: Job, step: Step, step_id: str) -> None:
        if self._cancelled:
            self._status = "cancelled"
        contexts = self._contexts(job, step.env)
        if not truth(step.condition.evaluate(contexts)):
            self._steps[step_id] = StepResult("skipped", "skipped", {})
            return
        self._say(f"##[group]{step.name.fill(contexts)}")
        cancelled_before = self._cancelled
        try:
            outputs = self._checkout(step, contexts) if step.uses == CHECKOUT else {}
            if step.run.source:
                outputs = self._run(job, step, contexts)
            elif step.uses != CHECKOUT:
                self._upload(step, contexts)
            outcome = "success"
        except (StepFailed, UploadRefused, Unreadable, OSError, ValueError) as error:
            self._say(f"##[error]{error}")
            outputs, outcome = {}, "failure"
        self._say("##[endgroup]")
        if self._cancelled and not cancelled_before:
            outcome = "cancelled"
        forgiven = outcome == "failure" and truth(step.continue_on_error.value(contexts) not in (False, "false", ""))
        self._steps[step_id] = StepResult(outcome, "success" if forgiven else outcome, outputs)
        if outcome != "success" and not forgiven and self._status == "success":
            self._status = outcome

    # The three kinds of steps

    def _run(self, job: Job, step: Step, contexts: Contexts) -> dict[str, str]:
        files = StepFiles(self._temp() / "_runner")
        script = files.folder / "step.sh"
        script.write_text(step.run.fill(contexts))
        folder = self._workspace() / step.folder.fill(contexts)
        options = {
            "bash": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
            "sh": ["sh", "-e"],
            "": ["bash", "-e"],
        }
        env = {**self._environment(job, step, contexts), **files.variables()}
        code = self._spawn(
            [*HEARING, *options[step.shell], str(script)],
            folder=folder,
            env=env,
            minutes=float(step.minutes.fill(contexts)),
        )
        self._env |= read_pairs(files.env.read_text(errors="replace"))
        self._path = [*reversed(files.path.read_text(errors="replace").split()), *self._path]
        if code != 0:
            raise StepFailed(f"Process completed with exit code {code}.")
        return read_pairs(files.output.read_text(errors="replace"))

    def _checkout(self, step: Step, contexts: Contexts) -> dict[str, str]:
        """Fetches by commit or by name, without credentials: the repository lies on this machine."""
        order = self._order
        options = _filled(step.options, contexts)
        ref = options.get("ref") or order.run.head_sha
        folder = self._workspace() / options.get("path", "")
        if not folder.resolve().is_relative_to(self._workspace().resolve()):
            raise StepFailed(f"path {options['path']} is not under the workspace")
        depth = int(options.get("fetch-depth") or "1")
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"] if depth == 0 else []
        limit = [f"--depth={depth}"] if depth else []
        for arguments in (
            ["init", "--quiet"],
            ["remote", "add", "origin", order.git_folder.resolve().as_uri()],
            ["fetch", "--quiet", "--no-tags", *limit, "origin", *wanted, ref],
            ["checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"],
        ):
            code = self._spawn(["git", *arguments], folder=folder, env=self._base(), minutes=10)
            if code != 0:
                raise StepFailed(
                    f"git {arguments[0]} failed with exit code {code}: is {ref} in {order.repo.full_name}?"
                )
        return {"ref": ref, "commit": (folder / ".git/HEAD").read_text().strip()}

    def _upload(self, step: Step, contexts: Contexts) -> None:
        upload = Upload.from_options(_filled(step.options, contexts), workspace=self._workspace())
        self._order.upload(upload)
        self._say(f"Artifact {upload.name}: {len(upload.files)} files")

    def _spawn(self, arguments: list[str], *, folder: Path, env: Mapping[str, str], minutes: float) -> int:
        with self._lock:
            if self._stopped:
                raise StepFailed("The runner has received a shutdown signal.")
            self._child = child = Child(arguments, folder=folder, env=env, log=self._order.log)
        timer = threading.Timer(min(60 * minutes, AFTER_CANCEL if self._cancelled else 60 * minutes), child.stop)
        timer.daemon = True
        timer.start()
        try:
            return child.wait()
        finally:
            timer.cancel()
            with self._lock:
                self._child = None

    # What a step sees

    def _contexts(self, job: Job, step_env: Mapping[str, Template]) -> dict[str, Value]:
        contexts: dict[str, Value] = {
            **github_contexts(self._order),
            "env": {},
            "job": {"status": self._status},
            "steps": {
                name: {"outcome": step.outcome, "conclusion": step.conclusion, "outputs": {**step.outputs}}
                for name, step in self._steps.items()
            },
        }
        env: dict[str, Value] = {}
        for templates in (self._order.spec.env, job.env):
            env |= _filled(templates, {**contexts, "env": env})
        env |= self._env
        env |= _filled(step_env, {**contexts, "env": env})
        return {**contexts, "env": env}

    def _environment(self, job: Job, step: Step, contexts: Contexts) -> dict[str, str]:
        env = contexts["env"]
        assert isinstance(env, dict)
        base = self._base()
        path = {"PATH": ":".join([*self._path, base["PATH"]])}
        return {
            **base,
            **path,
            "GITHUB_JOB": job.id,
            "GITHUB_ACTION": step.id or "__run",
            **{k: text_of(v) for k, v in env.items()},
        }

    def _base(self) -> dict[str, str]:
        order, run = self._order, self._order.run
        github = github_contexts(order)["github"]
        assert isinstance(github, dict)
        event = self._temp() / "event.json"
        event.write_text(json.dumps(github["event"]))
        named = ("workflow", "run_id", "run_number", "run_attempt", "actor", "repository", "repository_owner", "sha")
        more = ("event_name", "ref", "ref_name", "ref_type", "server_url", "api_url", "workspace")
        return {
            "HOME": str(order.work),
            **order.environment,
            "PATH": f"{Path(sys.executable).parent}:{order.environment['PATH']}",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            **{f"GITHUB_{name.upper()}": text_of(github[name]) for name in (*named, *more)},
            "GITHUB_TRIGGERING_ACTOR": run.triggering_actor,
            "GITHUB_EVENT_PATH": str(event),
            "RUNNER_TEMP": str(self._temp()),
            "RUNNER_TOOL_CACHE": str(self._temp()),
            "RUNNER_NAME": "local",
            "RUNNER_OS": "Linux" if sys.platform == "linux" else "macOS",
            "RUNNER_ENVIRONMENT": "self-hosted",
            TRACKING: order.mark,
        }

    def _temp(self) -> Path:
        return self._order.work / "temp"

    def _workspace(self) -> Path:
        return workspace_of(self._order)

    def _say(self, line: str) -> None:
        """On a line of its own, whatever the step wrote last."""
        with self._order.log.open("a+b") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(size - 1, 0))
            cut = b"\n" if log.read(1) not in (b"", b"\n") else b""
            log.write(cut + line.encode() + b"\n")


class StepFailed(Exception):  # noqa: N818 (an outcome)
    pass


class StepFiles:
    """The files through which a step speaks to its job."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.env, self.output, self.path, self.summary = (
            folder / name for name in ("env", "output", "path", "summary")
        )
        for file in (self.env, self.output, self.path, self.summary):
            file.touch()

    def variables(self) -> dict[str, str]:
        return {
            "GITHUB_ENV": str(self.env),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_PATH": str(self.path),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }


def read_pairs(text: str) -> dict[str, str]:
    """`name=value` lines, and `name<<END` … `END`."""
    pairs, lines = {}, iter(text.splitlines())
    for line in lines:
        name, heredoc, end = line.partition("<<")
        if heredoc and "=" not in name:
            value = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            pairs[name] = "\n".join(value)
        elif "=" in line:
            name, _, single = line.partition("=")
            pairs[name] = single
    return pairs


def workspace_of(order: Order) -> Path:
    return order.work / order.repo.name


def github_contexts(order: Order) -> dict[str, Value]:
    """What is known before a job starts."""
    run, repo = order.run, order.repo
    inputs: dict[str, Value] = {**run.inputs}
    github: dict[str, Value] = {
        "run_id": str(run.id),
        "run_number": str(run.run_number),
        "run_attempt": str(run.run_attempt),
        "repository": repo.full_name,
        "repository_id": str(repo.id),
        "repository_owner": repo.owner,
        "sha": run.head_sha,
        "ref": f"refs/heads/{run.head_branch}",
        "ref_name": run.head_branch,
        "ref_type": "branch",
        "workflow": order.spec.name,
        "workflow_ref": f"{repo.full_name}/{run.path}@refs/heads/{run.head_branch}",
        "actor": run.actor,
        "triggering_actor": run.triggering_actor,
        "event_name": run.event,
        "event": {"inputs": inputs, "ref": f"refs/heads/{run.head_branch}"},
        "server_url": order.url,
        "api_url": f"{order.url}/api/v3",
        "workspace": str(workspace_of(order)),
        "job": "",
        "token": "",
    }
    runner: dict[str, Value] = {
        "temp": str(order.work / "temp"),
        "tool_cache": str(order.work / "temp"),
        "name": "local",
        "os": "Linux" if sys.platform == "linux" else "macOS",
        "arch": "X64",
        "environment": "self-hosted",
    }
    return {
        "github": github,
        "runner": runner,
        "inputs": inputs,
        "vars": {},
        "env": {},
        "steps": {},
        "job": {"status": "success"},
    }


def _filled(templates: Mapping[str, Template], contexts: Contexts) -> dict[str, str]:
    return {name: template.fill(contexts) for name, template in templates.items()}
