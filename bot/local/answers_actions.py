"""GitHub's JSON for workflows, their runs and artifacts, and for check runs."""

from bot.local.answers_base import Json, maybe_stamp, stamp
from bot.local.answers_git import GitAnswers
from bot.local.answers_pulls import PullAnswers
from bot.local.rows import Artifact, CheckRun, PullRequest, Repository, Workflow, WorkflowRun


class ActionAnswers(GitAnswers, PullAnswers):
    def workflow(self, repo: Repository, workflow: Workflow) -> Json:
        url, html = f"{self.repo_api(repo)}/actions/workflows/{workflow.id}", self.repo_html(repo)
        file = workflow.path.rsplit("/", 1)[-1]
        return {
            "id": workflow.id,
            "node_id": self.kind_node(workflow),
            "name": workflow.name,
            "path": workflow.path,
            "state": "active",
            "created_at": stamp(workflow.created_at),
            "updated_at": stamp(workflow.created_at),
            "url": url,
            "html_url": f"{html}/blob/{repo.default_branch}/{workflow.path}",
            "badge_url": f"{html}/actions/workflows/{file}/badge.svg",
        }

    def run(self, repo: Repository, run: WorkflowRun) -> Json:
        url = f"{self.repo_api(repo)}/actions/runs/{run.id}"
        commit = self.repos.git(repo).commit(run.head_sha)
        where = self.minimal_repository(repo)
        earlier = f"{url}/attempts/{run.run_attempt - 1}" if run.run_attempt > 1 else None
        suite = f"{self.repo_api(repo)}/check-suites/{run.id}"
        return {
            "id": run.id,
            "name": run.name,
            "node_id": self.kind_node(run),
            "check_suite_id": run.id,
            "check_suite_node_id": self.kind_node(run),
            "head_branch": run.head_branch,
            "head_sha": run.head_sha,
            "path": run.path,
            "run_number": run.run_number,
            "run_attempt": run.run_attempt,
            "display_title": run.display_title,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": run.workflow_id,
            "url": url,
            "html_url": f"{self.repo_html(repo)}/actions/runs/{run.id}",
            "pull_requests": [],
            "created_at": stamp(run.created_at),
            "updated_at": stamp(run.updated_at),
            "run_started_at": stamp(run.started_at),
            "actor": self.user(run.actor),
            "triggering_actor": self.user(run.triggering_actor),
            **{f"{name}_url": f"{url}/{name}" for name in ("jobs", "logs", "artifacts", "cancel", "rerun")},
            "check_suite_url": suite,
            "previous_attempt_url": earlier,
            "workflow_url": f"{self.repo_api(repo)}/actions/workflows/{run.workflow_id}",
            "head_commit": self.simple_commit(commit) if commit else None,
            "repository": where,
            "head_repository": where,
            "referenced_workflows": [],
        }

    def artifact(self, repo: Repository, artifact: Artifact) -> Json:
        run = self.store.get(WorkflowRun, id=artifact.run_id)
        url = f"{self.repo_api(repo)}/actions/artifacts/{artifact.id}"
        return {
            "id": artifact.id,
            "node_id": self.kind_node(artifact),
            "name": artifact.name,
            "size_in_bytes": artifact.size,
            "url": url,
            "archive_download_url": f"{url}/zip",
            "expired": artifact.expires_at <= self.store.now(),
            "digest": f"sha256:{artifact.digest}",
            "created_at": stamp(artifact.created_at),
            "updated_at": stamp(artifact.created_at),
            "expires_at": stamp(artifact.expires_at),
            "workflow_run": {
                "id": run.id,
                "repository_id": repo.id,
                "head_repository_id": repo.id,
                "head_branch": run.head_branch,
                "head_sha": run.head_sha,
            },
        }

    def check(self, repo: Repository, check: CheckRun) -> Json:
        url = f"{self.repo_api(repo)}/check-runs/{check.id}"
        html = f"{self.repo_html(repo)}/runs/{check.id}"
        pulls = self.store.all(PullRequest, repo_id=repo.id, head_sha=check.head_sha)
        return {
            "id": check.id,
            "head_sha": check.head_sha,
            "node_id": self.kind_node(check),
            "external_id": check.external_id,
            "url": url,
            "html_url": html,
            "details_url": check.details_url or html,
            "status": check.status,
            "conclusion": check.conclusion,
            "started_at": maybe_stamp(check.started_at),
            "completed_at": maybe_stamp(check.completed_at),
            "output": {
                "title": check.title,
                "summary": check.summary,
                "text": check.text,
                "annotations_count": check.annotations,
                "annotations_url": f"{url}/annotations",
            },
            "name": check.name,
            "check_suite": {"id": check.id},
            "app": self.maybe_app(check.app_id),
            "pull_requests": [self.minimal_pull(repo, pull) for pull in pulls],
        }
