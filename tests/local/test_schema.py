"""Every answer of every route, held against GitHub's own schema.

githubkit's models are generated from it, at its newest API version (2026-03-10): that is PyGithub's default version
(2022-11-28) without some old fields, which we send as well, for PyGithub reads them.
"""

import base64
import threading
from dataclasses import dataclass, field
from typing import Any

import githubkit_schemas.v2026_03_10.models as models
import httpx2
import jwt
import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from bot.local import rest_actions, rest_apps, rest_checks, rest_git, rest_issues, rest_pulls
from tests.local.conftest import LAB, World


@dataclass(frozen=True)
class Ask:
    """One request and what its answer must be. `{…}` in the path is filled from the scene."""

    method: str
    route: str
    model: Any
    status: int = 200
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    who: str = "you"
    path: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


@dataclass(frozen=True)
class Scene:
    world: World
    names: dict[str, Any]
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def scene(world: World) -> Scene:
    """Something of everything."""
    issue = world.you.open_issue("An idea", "Body", labels=("experiment",))
    number = issue["number"]
    comment = world.lab.get_issue(number).create_comment("Hello")
    comment.create_reaction("eyes")
    world.you.edit_issue(number, title="Another idea")
    head = world.branch("one", {"one.txt": "1\n"})
    pull = world.you.open_pull("One", head="one")["number"]
    world.lab.get_pull(pull).create_review(event="COMMENT", body="Look")
    world.branch("two", {"two.txt": "2\n"})
    second = world.you.open_pull("Two", head="two")["number"]
    check = world.lab.create_check_run("result", head, status="in_progress")
    world.you.dispatch("train.yml", pr="1", request="r")
    while world.you.runs()[0]["status"] != "completed":
        threading.Event().wait(0.05)
    run = world.lab.get_workflow_runs()[0]
    commit = world.lab.get_git_commit(head)
    [installation] = world.integration.get_installations()
    names = {
        "number": number,
        "comment_id": comment.id,
        "pull": pull,
        "second": second,
        "sha": head,
        "next": world.commit(head, {"one.txt": "2\n"}),
        "tree_sha": commit.tree.sha,
        "blob": world.lab.get_contents("README.md").sha,  # type: ignore[union-attr]
        "check_id": check.id,
        "run_id": run.id,
        "artifact_id": run.get_artifacts()[0].id,
        "installation_id": installation.id,
    }
    now = int(world.local.store.now().timestamp())
    claims = {"iat": now - 60, "exp": now + 300, "iss": world.app.client_id}
    tokens = {
        "you": world.local.create_user("you"),
        "app": jwt.encode(claims, world.app.private_key, "RS256"),
        "bot": world.integration.get_access_token(installation.id).token,
    }
    return Scene(world, names, tokens)


NOTHING = object()
BLOB = base64.b64encode(b"x").decode()
Labels = list[models.Label]
Reactions = list[models.Reaction]
Runs = models.ReposOwnerRepoActionsRunsGetResponse200
Checks = models.ReposOwnerRepoCommitsRefCheckRunsGetResponse200
Artifacts = models.ReposOwnerRepoActionsRunsRunIdArtifactsGetResponse200
TimelineEvents = list[
    models.LabeledIssueEvent
    | models.UnlabeledIssueEvent
    | models.RenamedIssueEvent
    | models.TimelineCommentEvent
    | models.StateChangeIssueEvent
]
ISSUE, COMMENT, PULL = "/issues/{number}", "/issues/comments/{comment_id}", "/pulls/{number}"
APP = "/app/installations/{installation_id}"
RUN = "/actions/runs/{run_id}"

ASKS = (
    Ask("GET", "/app", models.Integration, who="app"),
    Ask("GET", "/app/installations", list[models.Installation], who="app"),
    Ask("GET", APP, models.Installation, who="app"),
    Ask("POST", f"{APP}/access_tokens", models.InstallationToken, 201, {"repositories": ["lab"]}, who="app"),
    Ask("GET", "/installation/repositories", models.InstallationRepositoriesGetResponse200, who="bot"),
    Ask("GET", "/user", models.PublicUser),
)
ASKS_BY_ID = (
    Ask("GET", ISSUE, models.Issue),
    Ask("PATCH", ISSUE, models.Issue, body={"title": "By id"}),
)
REPO_ASKS = (
    Ask("GET", "", models.FullRepository),
    Ask("GET", "/installation", models.Installation, who="app"),
    Ask(
        "GET",
        "/collaborators/{login}/permission",
        models.RepositoryCollaboratorPermission,
        path="/collaborators/you/permission",
    ),
    Ask("GET", "/issues", list[models.Issue], query={"state": "all"}),
    Ask("POST", "/issues", models.Issue, 201, {"title": "New", "labels": ["experiment"], "assignees": ["you"]}),
    Ask("GET", "/issues/comments", list[models.IssueComment], query={"sort": "updated", "direction": "desc"}),
    Ask("GET", COMMENT, models.IssueComment),
    Ask("PATCH", COMMENT, models.IssueComment, body={"body": "Edited"}),
    Ask("GET", f"{COMMENT}/reactions", Reactions),
    Ask("POST", f"{COMMENT}/reactions", models.Reaction, 201, {"content": "heart"}),
    Ask("GET", ISSUE, models.Issue),
    Ask("PATCH", ISSUE, models.Issue, body={"body": "New", "state": "closed", "state_reason": "completed"}),
    Ask("GET", f"{ISSUE}/comments", list[models.IssueComment]),
    Ask("POST", f"{ISSUE}/comments", models.IssueComment, 201, {"body": "Mine"}),
    Ask("GET", f"{ISSUE}/timeline", TimelineEvents),
    Ask("GET", f"{ISSUE}/reactions", Reactions),
    Ask("POST", f"{ISSUE}/reactions", models.Reaction, 201, {"content": "eyes"}),
    Ask("GET", f"{ISSUE}/labels", Labels),
    Ask("POST", f"{ISSUE}/labels", Labels, body=["paused"]),
    Ask("DELETE", f"{ISSUE}/labels/{{label}}", Labels, path=f"{ISSUE}/labels/paused"),
    Ask("DELETE", COMMENT, NOTHING, 204),
    Ask("GET", "/labels", Labels),
    Ask("POST", "/labels", models.Label, 201, {"name": "new", "color": "ff0000", "description": "New"}),
    Ask("GET", "/labels/{label}", models.Label, path="/labels/experiment"),
    Ask("GET", "/pulls", list[models.PullRequestSimple], query={"state": "all"}),
    Ask("POST", "/pulls", models.PullRequest, 201, {"title": "Three", "head": "three", "base": "main"}),
    Ask("GET", PULL, models.PullRequest, path="/pulls/{pull}"),
    Ask("PATCH", PULL, models.PullRequest, body={"body": "New"}, path="/pulls/{pull}"),
    Ask("PUT", f"{PULL}/merge", models.PullRequestMergeResult, body={}, path="/pulls/{second}/merge"),
    Ask("GET", f"{PULL}/reviews", list[models.PullRequestReview], path="/pulls/{pull}/reviews"),
    Ask("POST", f"{PULL}/reviews", models.PullRequestReview, body={"body": "x"}, path="/pulls/{pull}/reviews"),
    Ask("GET", f"{PULL}/files", list[models.DiffEntry], path="/pulls/{pull}/files"),
    Ask("GET", "/git/ref/{ref:path}", models.GitRef, path="/git/ref/heads/one"),
    Ask("GET", "/git/matching-refs/{ref:path}", list[models.GitRef], path="/git/matching-refs/heads"),
    Ask("POST", "/git/refs", models.GitRef, 201, {"ref": "refs/heads/new", "sha": "{sha}"}),
    Ask("PATCH", "/git/refs/{ref:path}", models.GitRef, body={"sha": "{next}"}, path="/git/refs/heads/new"),
    Ask("DELETE", "/git/refs/{ref:path}", NOTHING, 204, path="/git/refs/heads/new"),
    Ask("GET", "/git/blobs/{sha}", models.Blob, path="/git/blobs/{blob}"),
    Ask("POST", "/git/blobs", models.ShortBlob, 201, {"content": BLOB, "encoding": "base64"}),
    Ask("GET", "/git/trees/{name:path}", models.GitTree, query={"recursive": "1"}, path="/git/trees/{sha}"),
    Ask("POST", "/git/trees", models.GitTree, 201, {"tree": [{"path": "a", "mode": "100644", "content": "x"}]}),
    Ask("GET", "/git/commits/{sha}", models.GitCommit),
    Ask("POST", "/git/commits", models.GitCommit, 201, {"message": "m", "tree": "{tree_sha}", "parents": ["{sha}"]}),
    Ask("GET", "/commits/{ref:path}", models.Commit, path="/commits/{sha}"),
    Ask("GET", "/contents/{path:path}", models.ContentFile, path="/contents/README.md"),
    Ask(
        "PUT",
        "/contents/{path:path}",
        models.FileCommit,
        201,
        {"message": "m", "content": BLOB},
        path="/contents/n.txt",
    ),
    Ask("GET", "/compare/{spec:path}", models.CommitComparison, path="/compare/main...one"),
    Ask("GET", "/actions/workflows/{file}", models.Workflow, path="/actions/workflows/train.yml"),
    Ask(
        "POST",
        "/actions/workflows/{file}/dispatches",
        NOTHING,
        204,
        {"ref": "main", "inputs": {"pr": "2", "request": "x"}},
        path="/actions/workflows/train.yml/dispatches",
    ),
    Ask(
        "POST",
        "/actions/workflows/{file}/dispatches",
        models.WorkflowDispatchResponse,
        body={"ref": "main", "inputs": {"pr": "2", "request": "x"}, "return_run_details": True},
        path="/actions/workflows/train.yml/dispatches",
    ),
    Ask("GET", "/actions/workflows/{file}/runs", Runs, path="/actions/workflows/train.yml/runs"),
    Ask("GET", "/actions/runs", Runs, query={"event": "workflow_dispatch", "created": ">=2026-01-01"}),
    Ask("GET", RUN, models.WorkflowRun),
    Ask("GET", f"{RUN}/artifacts", Artifacts),
    Ask("POST", f"{RUN}/rerun", models.EmptyObject, 201),
    Ask("POST", f"{RUN}/cancel", models.EmptyObject, 202),
    Ask("GET", "/actions/artifacts/{artifact_id}/zip", NOTHING, 302),
    Ask("POST", "/check-runs", models.CheckRun, 201, {"name": "other", "head_sha": "{sha}"}, who="bot"),
    Ask(
        "PATCH",
        "/check-runs/{check_id}",
        models.CheckRun,
        body={"conclusion": "success", "output": {"title": "t", "summary": "s"}},
        who="bot",
    ),
    Ask("GET", "/commits/{ref:path}/check-runs", Checks, path="/commits/{sha}/check-runs"),
)


def ask(scene: Scene, one: Ask, prefix: str) -> httpx2.Response:
    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        return value.format(**scene.names) if isinstance(value, str) else value

    url = scene.world.local.api_url + prefix + fill(one.path or one.route)
    headers = {"Authorization": f"Bearer {scene.tokens[one.who]}"}
    with httpx2.Client() as client:
        return client.request(one.method, url, json=fill(one.body), params=one.query, headers=headers)


@pytest.mark.parametrize("one", [*ASKS, *REPO_ASKS, *ASKS_BY_ID], ids=str)
def test_the_answer_is_githubs(scene: Scene, one: Ask) -> None:
    if one.route == "/pulls" and one.method == "POST":
        scene.world.branch("three", {"three.txt": "3\n"})
    by_id = f"/repositories/{scene.world.lab.id}" if one in ASKS_BY_ID else ""
    answer = ask(scene, one, f"/repos/{LAB}" if one in REPO_ASKS else by_id)
    assert answer.status_code == one.status, answer.text
    if one.model is not NOTHING:
        TypeAdapter(one.model).validate_json(answer.content)


def test_no_route_is_left_out() -> None:
    def known(routes: list[Any]) -> set[tuple[str, str]]:
        return {
            (method, route.path) for route in routes if isinstance(route, APIRoute) for method in route.methods or ()
        }

    parts = (rest_apps, rest_issues, rest_pulls, rest_git, rest_actions, rest_checks)
    assert known(rest_apps.router.routes) == {(one.method, one.route) for one in ASKS}
    in_repo = set().union(*(known(part.in_repo.routes) for part in parts))
    assert in_repo == {(one.method, one.route) for one in REPO_ASKS}
    assert known(rest_issues.by_id.routes) == {(one.method, one.route) for one in ASKS_BY_ID}


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (Ask("GET", "/issues/999999", models.BasicError), 404),
        (Ask("GET", "/issues/abc", models.BasicError), 404),
        (Ask("POST", "/issues", models.BasicError, body={"body": "no title"}), 422),
        (Ask("POST", "/labels", models.ValidationError, body={"name": "experiment"}), 422),
        (Ask("PATCH", "/git/refs/heads/nowhere", models.BasicError, body={"sha": "{sha}"}), 422),
    ],
    ids=str,
)
def test_a_refusal_is_githubs(scene: Scene, one: Ask, status: int) -> None:
    answer = ask(scene, one, f"/repos/{LAB}")
    assert answer.status_code == status
    assert answer.json()["status"] == str(status)
    TypeAdapter(one.model).validate_json(answer.content)
