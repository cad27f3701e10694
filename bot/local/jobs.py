"""GitHub Actions on one machine: workflow runs, from dispatch to conclusion, on so many runners side by side."""

import secrets
import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.local.access import Access, Actor
from bot.local.execution import Execution, Order, github_contexts
from bot.local.expressions import Unreadable
from bot.local.notices import Notices
from bot.local.processes import kill_tracked
from bot.local.refusals import Conflict, Forbidden, Invalid, NotFound
from bot.local.repos import Repos
from bot.local.rows import Artifact, Repository, Setting, Workflow, WorkflowRun
from bot.local.store import Store
from bot.local.uploads import Upload, UploadRefused
from bot.local.workflow import WorkflowFile, fit_inputs, read_dispatch, read_workflow

WORKFLOWS = ".github/workflows"


class Jobs:
    def __init__(
        self,
        folder: Path,
        store: Store,
        repos: Repos,
        access: Access,
        notices: Notices,
        *,
        url: str,
        runners: int,
        environment: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._store = store
        self._repos = repos
        self._access = access
        self._notices = notices
        self._url = url
        self._runners = runners
        self._environment = environment
        self._lock = threading.RLock()
        self._running: dict[int, tuple[Execution, threading.Thread]] = {}
        self._groups: dict[int, str] = {}
        self._open = False
        self.work = folder.resolve() / "work"
        for name in ("artifacts", "logs", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.mark = self._instance()
        """Begins the RUNNER_TRACKING_ID of every process of every job, also after a restart."""

    def start(self) -> None:
        """What was in progress when the last process died has failed; what was queued starts."""
        kill_tracked(f"{self.mark}-")
        shutil.rmtree(self.work, ignore_errors=True)
        for run in self._store.all(WorkflowRun, status="in_progress"):
            self._conclude(run, "failure", "The runner has received a shutdown signal: the stand-in was stopped.")
        with self._lock:
            self._open = True
            self._pump()

    def stop(self) -> None:
        """Ends every process of every job within three seconds. The runs stay in progress, for `start` to conclude."""
        with self._lock:
            self._open = False
            running = [*self._running.values()]
        stoppers = [threading.Thread(target=execution.stop) for execution, _ in running]
        for stopper in stoppers:
            stopper.start()
        for thread in (*stoppers, *(thread for _, thread in running)):
            thread.join(3)

    # Asked from outside

    def dispatch(
        self, repo: Repository, file: str, *, actor: Actor, ref: str, inputs: Mapping[str, str]
    ) -> WorkflowRun:
        """`file` is the workflow's file name or id, `ref` a branch."""
        self._access.require(actor, repo)
        workflow = self.workflow(repo, file)
        branch = ref.removeprefix("refs/heads/")
        git = self._repos.git(repo)
        sha = git.resolve(f"refs/heads/{branch}")
        if sha is None:
            raise Invalid(f"No ref found for: {ref}")
        text = git.blob(f"{sha}:{workflow.path}")
        if text is None:
            raise NotFound
        try:
            fitted = fit_inputs(read_dispatch(text.decode(errors="replace")), inputs)
        except Unreadable as error:
            raise Invalid(f"failed to parse workflow: {error}") from error
        with self._lock:
            run = self._create(repo, workflow, actor=actor, branch=branch, sha=sha, inputs=fitted)
            self._pump()
        return self._store.get(WorkflowRun, id=run.id)

    def cancel(self, repo: Repository, run_id: int, *, actor: Actor) -> None:
        self._access.require(actor, repo)
        with self._lock:
            run = self._store.get(WorkflowRun, repo_id=repo.id, id=run_id)
            if run.status == "completed":
                raise Conflict("Cannot cancel a workflow run that is completed.")
            self._cancel(run)
            self._pump()

    def rerun(self, repo: Repository, run_id: int, *, actor: Actor) -> WorkflowRun:
        """The same commit and inputs once more, as the next attempt."""
        self._access.require(actor, repo)
        with self._lock:
            run = self._store.get(WorkflowRun, repo_id=repo.id, id=run_id)
            if run.status != "completed":
                raise Forbidden("This workflow run is already running")
            now = self._store.now()
            again = replace(
                run,
                run_attempt=run.run_attempt + 1,
                triggering_actor=actor.login,
                status="queued",
                conclusion=None,
                updated_at=now,
                started_at=now,
            )
            # GitHub sends no `requested` for a re-run.
            self._store.save(again)
            self._pump()
        return self._store.get(WorkflowRun, id=run_id)

    def workflow(self, repo: Repository, file: str) -> Workflow:
        """By its file name or its id; it exists as long as the default branch has the file."""
        if file.isdecimal():
            return self._store.get(Workflow, repo_id=repo.id, id=int(file))
        path = f"{WORKFLOWS}/{file}"
        text = self._repos.git(repo).blob(f"refs/heads/{repo.default_branch}:{path}")
        if text is None:
            raise NotFound
        with self._store.transaction():
            there = self._store.find(Workflow, repo_id=repo.id, path=path)
            now = self._store.now()
            return there or self._store.add(
                Workflow(repo_id=repo.id, path=path, name=_name(text, path), created_at=now)
            )

    def live_log(self, run_id: int) -> Path:
        """The log of the newest attempt, which grows while it runs."""
        return self._log(self._store.get(WorkflowRun, id=run_id))

    def artifact_file(self, artifact: Artifact) -> Path:
        return self._folder / "artifacts" / artifact.file

    # The queue; all of it under the lock

    def _create(
        self,
        repo: Repository,
        workflow: Workflow,
        *,
        actor: Actor,
        branch: str,
        sha: str,
        inputs: dict[str, str],
    ) -> WorkflowRun:
        now = self._store.now()
        with self._store.transaction():
            run = self._store.add(
                WorkflowRun(
                    repo_id=repo.id,
                    workflow_id=workflow.id,
                    path=workflow.path,
                    name=workflow.name,
                    display_title=workflow.name,
                    run_number=self._store.count(WorkflowRun, workflow_id=workflow.id) + 1,
                    head_branch=branch,
                    head_sha=sha,
                    actor=actor.login,
                    triggering_actor=actor.login,
                    inputs=inputs,
                    created_at=now,
                    updated_at=now,
                    started_at=now,
                )
            )
            try:
                order = self._order(repo, run)
                title = order.spec.title.fill(github_contexts(order))
                run = self._store.save(replace(run, name=order.spec.name, display_title=title or workflow.name))
                self._make_room(order)
            except Unreadable:
                # Said when it is to start, as a startup_failure.
                pass
            self._notices.run("requested", repo, run)
        return run

    def _make_room(self, order: Order) -> None:
        """A concurrency group has one run in progress and, unless it queues, one that waits."""
        contexts = github_contexts(order)
        group = order.spec.group.fill(contexts).lower()
        self._groups[order.run.id] = group
        if not group:
            return
        cancel = order.spec.cancel_in_progress.fill(contexts) == "true"
        for other in self._store.all(WorkflowRun, repo_id=order.repo.id):
            if other.status == "completed" or other.id == order.run.id or self._group(other) != group:
                continue
            if cancel or (other.status == "queued" and not order.spec.keep_pending):
                self._cancel(other)

    def _group(self, run: WorkflowRun) -> str:
        if run.id not in self._groups:
            try:
                order = self._order(self._store.get(Repository, id=run.repo_id), run)
                self._groups[run.id] = order.spec.group.fill(github_contexts(order)).lower()
            except Unreadable:
                self._groups[run.id] = ""
        return self._groups[run.id]

    def _cancel(self, run: WorkflowRun) -> None:
        if run.id in self._running:
            self._running[run.id][0].cancel()
        elif run.status == "queued":
            self._conclude(run, "cancelled", "The run was canceled before it started.")

    def _pump(self) -> None:
        """Starts what can start, oldest first."""
        for run in self._store.all(WorkflowRun, status="queued"):
            if not self._open or len(self._running) >= self._runners:
                return
            busy = {(self._store.get(WorkflowRun, id=other).repo_id, self._group_of(other)) for other in self._running}
            if not self._group(run) or (run.repo_id, self._group(run)) not in busy:
                self._launch(run)

    def _group_of(self, run_id: int) -> str:
        return self._group(self._store.get(WorkflowRun, id=run_id))

    def _launch(self, run: WorkflowRun) -> None:
        repo = self._store.get(Repository, id=run.repo_id)
        now = self._store.now()
        run = replace(run, status="in_progress", started_at=now, updated_at=now)
        try:
            order = self._order(repo, run)
        except (Unreadable, Invalid) as error:
            self._conclude(run, "startup_failure", f"The stand-in cannot run this workflow: it has {error}.")
            return
        execution = Execution(order)
        thread = threading.Thread(target=self._attempt, args=(run, execution), name=f"run-{run.id}", daemon=True)
        self._running[run.id] = (execution, thread)
        with self._store.transaction():
            self._store.save(run)
            self._notices.run("in_progress", repo, run)
        thread.start()

    def _attempt(self, run: WorkflowRun, execution: Execution) -> None:
        conclusion, reason = "failure", ""
        try:
            conclusion = execution.execute()
        except Exception as error:  # the run must conclude, whatever the workflow brought about
            reason = f"The runner broke: {type(error).__name__}: {error}"
        with self._lock:
            del self._running[run.id]
            if not execution.stopped:
                self._conclude(run, conclusion, reason)
                self._pump()

    def _conclude(self, run: WorkflowRun, conclusion: str, reason: str = "") -> None:
        if reason:
            with self._log(run).open("a") as log:
                log.write(reason + "\n")
        repo = self._store.get(Repository, id=run.repo_id)
        done = replace(run, status="completed", conclusion=conclusion, updated_at=self._store.now())
        with self._store.transaction():
            self._store.save(done)
            self._notices.run("completed", repo, done)

    # What an execution is given

    def _order(self, repo: Repository, run: WorkflowRun) -> Order:
        text = self._repos.git(repo).blob(f"{run.head_sha}:{run.path}")
        spec: WorkflowFile = read_workflow((text or b"").decode(errors="replace"), path=run.path)
        return Order(
            repo=repo,
            run=run,
            spec=spec,
            git_folder=self._repos.path(repo),
            work=self.work / f"{run.id}-{run.run_attempt}",
            log=self._log(run),
            url=self._url,
            mark=f"{self.mark}-{run.id}-{run.run_attempt}-",
            environment=self._environment,
            upload=lambda upload: self._keep(repo, run, upload),
        )

    def _keep(self, repo: Repository, run: WorkflowRun, upload: Upload) -> None:
        """Names are unique in a run, over all its attempts."""
        if not upload.files:
            return
        file = f"{run.id}-{secrets.token_hex(8)}.zip"
        size, digest = upload.pack(self._folder / "artifacts" / file)
        with self._store.transaction():
            there = self._store.find(Artifact, run_id=run.id, name=upload.name)
            if there and not upload.overwrite:
                raise UploadRefused(
                    "Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: "
                    "an artifact with this name already exists on the workflow run"
                )
            if there:
                self._store.remove(there)
            now = self._store.now()
            self._store.add(
                Artifact(
                    repo_id=repo.id,
                    run_id=run.id,
                    run_attempt=run.run_attempt,
                    name=upload.name,
                    size=size,
                    digest=digest,
                    file=file,
                    created_at=now,
                    expires_at=now + timedelta(days=upload.retention_days),
                )
            )

    def _log(self, run: WorkflowRun) -> Path:
        log = self._folder.resolve() / "logs" / f"{run.id}-{run.run_attempt}.log"
        log.touch()
        return log

    def _instance(self) -> str:
        with self._store.transaction():
            there = self._store.find(Setting, name="instance")
            there = there or self._store.add(Setting(name="instance", value=f"trainwright-{secrets.token_hex(6)}"))
        return there.value


def _name(text: bytes, path: str) -> str:
    try:
        return read_workflow(text.decode(errors="replace"), path=path).name
    except (Unreadable, Invalid):
        return path
