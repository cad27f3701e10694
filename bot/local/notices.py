"""What the apps are told of each change: GitHub's webhooks, one payload per event."""

import json
from uuid import uuid4

from bot.local.access import Actor
from bot.local.answers import Answers
from bot.local.answers_base import Json
from bot.local.git import ZERO
from bot.local.rows import (
    App,
    CheckRun,
    Comment,
    Delivery,
    Installation,
    Issue,
    Label,
    Repository,
    Review,
    Workflow,
    WorkflowRun,
)
from bot.local.store import Store
from bot.local.webhooks import Courier


class Notices:
    def __init__(self, store: Store, answers: Answers, courier: Courier) -> None:
        self._store = store
        self._answers = answers
        self._courier = courier

    def issue(
        self,
        action: str,
        repo: Repository,
        issue: Issue,
        actor: Actor,
        *,
        label: str | None = None,
        before: Issue | None = None,
    ) -> None:
        """`issues`, or `pull_request` where the issue is one."""
        payload: Json = {}
        if label:
            found = self._store.get(Label, repo_id=repo.id, name=label)
            payload["label"] = self._answers.label(repo, found)
        if before:
            payload["changes"] = _changes(title=(before.title, issue.title), body=(before.body, issue.body))
        if issue.is_pull:
            self._pull(action, repo, issue, actor, payload)
        else:
            payload["issue"] = self._answers.issue(repo, issue)
            self._tell("issues", action, repo, actor.login, payload)

    def transferred(self, repo: Repository, issue: Issue, to: Repository, moved: Issue, actor: Actor) -> None:
        """Said in both repositories."""
        old, new = self._answers.issue(repo, issue), self._answers.issue(to, moved)
        changes = {"new_issue": new, "new_repository": self._repository(to)}
        self._tell("issues", "transferred", repo, actor.login, {"issue": old, "changes": changes})
        changes = {"old_issue": old, "old_repository": self._repository(repo)}
        self._tell("issues", "opened", to, actor.login, {"issue": new, "changes": changes})

    def synchronize(self, repo: Repository, issue: Issue, before: str, after: str, actor: Actor) -> None:
        self._pull("synchronize", repo, issue, actor, {"before": before, "after": after})

    def comment(
        self,
        action: str,
        repo: Repository,
        issue: Issue,
        comment: Comment,
        actor: Actor,
        *,
        before: Comment | None = None,
    ) -> None:
        payload = {"issue": self._answers.issue(repo, issue), "comment": self._answers.comment(repo, comment)}
        if before:
            payload["changes"] = _changes(body=(before.body, comment.body))
        self._tell("issue_comment", action, repo, actor.login, payload)

    def review(self, repo: Repository, issue: Issue, review: Review, actor: Actor) -> None:
        rendered = self._answers.review(repo, review)
        payload = {
            # The REST says APPROVED, the webhook approved.
            "review": {**rendered, "state": review.state.lower(), "body": review.body or None},
            "pull_request": self._answers.pull(repo, issue),
        }
        self._tell("pull_request_review", "submitted", repo, actor.login, payload)

    def check(self, action: str, repo: Repository, check: CheckRun, actor: Actor) -> None:
        self._tell("check_run", action, repo, actor.login, {"check_run": self._answers.check(repo, check)})

    def run(self, action: str, repo: Repository, run: WorkflowRun) -> None:
        workflow = self._store.get(Workflow, id=run.workflow_id)
        payload = {"workflow_run": self._answers.run(repo, run), "workflow": self._answers.workflow(repo, workflow)}
        self._tell("workflow_run", action, repo, run.triggering_actor, payload)

    def push(self, repo: Repository, ref: str, before: str, after: str, actor: Actor) -> None:
        git = self._answers.repos.git(repo)
        head = None if after == ZERO else git.commit(after)
        new = (
            []
            if ZERO in (before, after)
            else [commit for commit in map(git.commit, git.between(before, after)) if commit]
        )
        payload: Json = {
            "ref": ref,
            "before": before,
            "after": after,
            "created": before == ZERO,
            "deleted": after == ZERO,
            "forced": ZERO not in (before, after) and not git.is_ancestor(before, after),
            "base_ref": None,
            "compare": f"{self._answers.repo_html(repo)}/compare/{before[:12]}...{after[:12]}",
            "commits": [self._pushed(repo, commit.sha) for commit in new],
            "head_commit": self._pushed(repo, head.sha) if head else None,
            "pusher": {"name": actor.login, "email": f"{actor.login}@users.noreply.localhost"},
        }
        self._tell("push", "", repo, actor.login, payload)

    def ping(self, app: App) -> None:
        """The first delivery to a new webhook; it names no installation."""
        hook = {
            "type": "App",
            "id": app.id,
            "name": "web",
            "active": True,
            "app_id": app.id,
            "events": self._answers.app(app)["events"],
            "config": {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": app.webhook_url},
            "created_at": self._answers.app(app)["created_at"],
            "updated_at": self._answers.app(app)["updated_at"],
            "deliveries_url": f"{self._answers.api}/app/hook/deliveries",
        }
        payload = {"zen": "Keep it logically awesome.", "hook_id": app.id, "hook": hook}
        self._post(str(uuid4()), app, "ping", "", payload)

    def _pull(self, action: str, repo: Repository, issue: Issue, actor: Actor, payload: Json) -> None:
        whole = {**payload, "number": issue.number, "pull_request": self._answers.whole_pull(repo, issue)}
        self._tell("pull_request", action, repo, actor.login, whole)

    def _pushed(self, repo: Repository, sha: str) -> Json:
        commit = self._answers.repos.git(repo).commit(sha)
        assert commit
        changes = self._answers.repos.git(repo).changes(commit.parents[0], sha) if commit.parents else []
        named = {"added": "added", "removed": "removed", "modified": "modified"}
        return {
            **self._answers.simple_commit(commit),
            "distinct": True,
            "url": f"{self._answers.repo_html(repo)}/commit/{sha}",
            **{word: [file.path for file in changes if file.status == status] for word, status in named.items()},
        }

    def _repository(self, repo: Repository) -> Json:
        return {**self._answers.repository(repo), "custom_properties": {}}

    def _tell(self, event: str, action: str, repo: Repository, sender: str, payload: Json) -> None:
        """To every app that is installed on the repository, under one GUID."""
        guid = str(uuid4())
        told = [one for one in self._store.all(Installation) if repo.id in one.repository_ids]
        shared = {
            **({"action": action} if action else {}),
            **payload,
            "repository": self._repository(repo),
            "sender": self._answers.user(sender),
        }
        for installation in told:
            app = self._store.get(App, id=installation.app_id)
            short = {"id": installation.id, "node_id": self._answers.kind_node(installation)}
            self._post(guid, app, event, action, {**shared, "installation": short})

    def _post(self, guid: str, app: App, event: str, action: str, payload: Json) -> None:
        self._courier.post(
            Delivery(
                guid=guid,
                app_id=app.id,
                event=event,
                action=action,
                payload=json.dumps(payload),
                created_at=self._store.now(),
            )
        )


def _changes(**fields: tuple[str, str]) -> Json:
    return {name: {"from": old} for name, (old, new) in fields.items() if old != new}
