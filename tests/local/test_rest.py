"""The REST of the stand-in, through PyGithub: what the bot will do to GitHub, done here first."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from github import GithubException, UnknownObjectException

from tests.local.conftest import LAB, World


def call(world: World, method: str, path: str, **options: object) -> httpx2.Response:
    """As `you`, to any route."""
    token = world.local.create_user("you")
    with httpx2.Client(base_url=world.local.api_url, headers={"Authorization": f"Bearer {token}"}) as client:
        return client.request(method, path, **options)  # type: ignore[arg-type]


# Apps


def test_an_app_authenticates_by_its_key_and_its_installation_by_a_token(world: World) -> None:
    assert world.integration.get_app().slug == "trainwright"
    [installation] = world.integration.get_installations()
    assert installation.id == world.integration.get_repo_installation("you", "lab").id
    assert [repo.full_name for repo in installation.get_repos()] == [LAB]
    token = world.integration.get_access_token(installation.id)
    assert token.token.count(".") == 2
    assert timedelta(minutes=50) < token.expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_a_forged_key_an_old_jwt_and_one_for_too_long_are_refused(world: World) -> None:
    now = int(time.time())

    def status(key: str, issued: int, expires: int) -> int:
        claims = {"iss": world.app.client_id, "iat": issued, "exp": expires}
        headers = {"Authorization": f"Bearer {jwt.encode(claims, key, 'RS256')}"}
        return httpx2.get(f"{world.local.api_url}/app", headers=headers).status_code

    other = world.local.create_app("other", owner="you", webhook_url=world.receiver.url, webhook_secret="x")
    assert status(world.app.private_key, now - 60, now + 300) == 200
    assert status(other.private_key, now - 60, now + 300) == 401
    assert status(world.app.private_key, now - 900, now - 300) == 401
    assert status(world.app.private_key, now, now + 3600) == 401


def test_without_a_valid_token_nothing_is_read(world: World) -> None:
    url = f"{world.local.api_url}/repos/{LAB}"
    assert httpx2.get(url).json()["message"] == "Requires authentication"
    answer = httpx2.get(url, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Bad credentials"


def test_an_unknown_route_is_501_with_its_name(world: World) -> None:
    answer = call(world, "GET", f"/repos/{LAB}/milestones")
    assert answer.status_code == 501
    assert answer.json()["message"].endswith(f"GET /repos/{LAB}/milestones")


def test_an_unchanged_answer_is_304(world: World) -> None:
    first = call(world, "GET", f"/repos/{LAB}/labels")
    again = call(world, "GET", f"/repos/{LAB}/labels", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# Issues


def test_an_issue_with_its_labels_comments_and_timeline(world: World) -> None:
    lab = world.lab
    issue = lab.create_issue("An idea", "Try it", labels=["experiment"])
    comment = issue.create_comment("Working on it")
    comment.edit("Done")
    issue.create_reaction("eyes")
    issue.create_reaction("eyes")
    issue.add_to_labels("paused")
    issue.remove_from_labels("paused")
    issue.edit(title="A better idea", state="closed", state_reason="not_planned")
    seen = lab.get_issue(issue.number)
    assert (seen.title, seen.state, seen.state_reason) == ("A better idea", "closed", "not_planned")
    assert [label.name for label in seen.labels] == ["experiment"]
    assert [one.body for one in seen.get_comments()] == ["Done"]
    assert [one.content for one in seen.get_reactions()] == ["eyes"]
    assert seen.user.login == "trainwright[bot]"
    assert seen.user.type == "Bot"
    assert [event.event for event in seen.get_timeline()] == [
        "labeled",
        "commented",
        "labeled",
        "unlabeled",
        "renamed",
        "closed",
    ]


def test_lists_come_in_pages_filtered_and_sorted(world: World) -> None:
    for number in range(7):
        world.you.open_issue(f"Page {number}", labels=("paged",))
    first = call(world, "GET", f"/repos/{LAB}/issues", params={"labels": "paged", "per_page": 3})
    assert 'per_page=3&page=2>; rel="next"' in first.headers["link"]
    assert 'per_page=3&page=3>; rel="last"' in first.headers["link"]
    assert [one["title"] for one in first.json()] == ["Page 6", "Page 5", "Page 4"]
    oldest = [one.title for one in world.lab.get_issues(labels=["paged"], direction="asc")]
    assert oldest == [f"Page {number}" for number in range(7)]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert not [*world.lab.get_issues(labels=["paged"], since=tomorrow)]


def test_a_body_over_the_limit_is_refused(world: World) -> None:
    issue = world.lab.create_issue("Long")
    issue.create_comment("x" * 65_536)
    with pytest.raises(GithubException) as refused:
        issue.create_comment("x" * 65_537)
    assert refused.value.status == 422
    assert "too long" in str(refused.value)


def test_a_stranger_may_speak_but_not_write(world: World) -> None:
    issue = world.lab.create_issue("Open to all")
    with world.local.person("stranger", LAB) as stranger:
        stranger.comment(issue.number, "May I?")
        own = stranger.open_issue("Mine", labels=("experiment",))
        assert own["labels"] == []
        for act in (
            lambda: stranger.label(issue.number, "experiment"),
            lambda: stranger.edit_issue(issue.number, title="Taken over"),
            lambda: stranger.edit_file("README.md", "Taken over"),
        ):
            with pytest.raises(httpx2.HTTPStatusError, match="403"):
                act()
    permission = world.lab.get_collaborator_permission("stranger")
    assert permission == "read"


@pytest.mark.parametrize(("role", "permission"), [("maintain", "write"), ("triage", "read"), ("admin", "admin")])
def test_a_role_is_said_as_a_permission(world: World, role: str, permission: str) -> None:
    world.local.set_permission(LAB, "helper", role)
    answer = call(world, "GET", f"/repos/{LAB}/collaborators/helper/permission").json()
    assert (answer["permission"], answer["role_name"]) == (permission, role)


# Git and pull requests


def test_a_tree_is_changed_by_content_by_sha_and_by_deletion(world: World) -> None:
    sha = world.branch("trees", {"a/b/one.txt": "1", "a/b/two.txt": "2", "a/three.txt": "3"})
    blob = world.lab.create_git_blob(base64.b64encode(b"\x00\xff").decode(), "base64")
    lines = [
        {"path": "a/b/one.txt", "mode": "100644", "type": "blob", "sha": None},
        {"path": "a/b/two.txt", "mode": "100644", "type": "blob", "sha": None},
        {"path": "a/picture.png", "mode": "100644", "type": "blob", "sha": blob.sha},
    ]
    tree = call(world, "POST", f"/repos/{LAB}/git/trees", json={"base_tree": sha, "tree": lines}).json()
    listed = call(world, "GET", f"/repos/{LAB}/git/trees/{tree['sha']}", params={"recursive": 1}).json()["tree"]
    inside = [line["path"] for line in listed if line["type"] == "blob" and line["path"].startswith("a/")]
    assert inside == ["a/picture.png", "a/three.txt"]
    gone = {"path": "nowhere.txt", "mode": "100644", "type": "blob", "sha": None}
    answer = call(world, "POST", f"/repos/{LAB}/git/trees", json={"base_tree": sha, "tree": [gone]})
    assert answer.status_code == 422


def test_a_ref_moves_forward_only(world: World) -> None:
    first = world.branch("forward", {"a.txt": "1"})
    ref = world.lab.get_git_ref("heads/forward")
    second = world.commit(first, {"a.txt": "2"})
    ref.edit(second)
    with pytest.raises(GithubException) as refused:
        ref.edit(first)
    assert (refused.value.status, refused.value.message) == (422, "Update is not a fast forward")
    ref.edit(first, force=True)
    with pytest.raises(GithubException, match="Reference already exists"):
        world.lab.create_git_ref("refs/heads/forward", second)
    ref.delete()
    with pytest.raises(UnknownObjectException):
        world.lab.get_git_ref("heads/forward").raw_data  # noqa: B018 (asks)
    names = [found.ref for found in world.lab.get_git_matching_refs("heads/ma")]
    assert names == ["refs/heads/main"]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_pull_request_is_merged_and_its_commits_stay_reachable(world: World, method: str) -> None:
    lab = world.lab
    first = world.branch(f"by-{method}", {f"{method}.txt": "one\n"}, message="First")
    head = world.commit(first, {f"{method}.txt": "one\ntwo\n"}, message="Second")
    lab.get_git_ref(f"heads/by-{method}").edit(head)
    pull = lab.create_pull(base="main", head=f"by-{method}", title="Two lines", body="Both")
    world.you.edit_file("main.txt", method)
    assert pull.mergeable
    assert [(file.filename, file.additions) for file in pull.get_files()] == [(f"{method}.txt", 2)]
    merged = pull.merge(merge_method=method, sha=head)
    commit = lab.get_git_commit(merged.sha)
    expected = {
        "merge": (2, f"Merge pull request #{pull.number} from you/by-{method}\n\nTwo lines"),
        "squash": (1, f"Two lines (#{pull.number})"),
        "rebase": (1, "Second"),
    }
    assert (len(commit.parents), commit.message) == expected[method]
    assert world.you.read_file(f"{method}.txt") == "one\ntwo\n"
    assert world.you.read_file("main.txt") == method
    seen = lab.get_pull(pull.number)
    assert (seen.merged, seen.state, seen.merge_commit_sha) == (True, "closed", merged.sha)
    assert world.you.ref(f"heads/by-{method}") is None
    assert world.you.ref(f"pull/{pull.number}/head") == head
    assert [one.number for one in lab.get_pulls(head=f"you:by-{method}", state="all")] == [pull.number]


def test_a_conflict_is_not_mergeable(world: World) -> None:
    world.branch("conflict", {"README.md": "Theirs\n"})
    pull = world.lab.create_pull(base="main", head="conflict", title="Conflict", body="")
    world.you.edit_file("README.md", "Ours\n")
    assert world.lab.get_pull(pull.number).mergeable is False
    for method in ("merge", "squash", "rebase"):
        with pytest.raises(GithubException) as refused:
            pull.merge(merge_method=method)
        assert refused.value.status == 405


def test_a_merge_with_an_old_head_is_refused(world: World) -> None:
    old = world.branch("moving", {"moving.txt": "1"})
    pull = world.lab.create_pull(base="main", head="moving", title="Moving", body="")
    world.you.edit_file("moving.txt", "2", branch="moving")
    with pytest.raises(GithubException) as refused:
        pull.merge(sha=old)
    assert refused.value.status == 409
    assert world.you.ref(f"pull/{pull.number}/head") == world.you.ref("heads/moving")


def test_a_pull_request_is_closed_with_its_branch_and_reopened_only_with_it(world: World) -> None:
    head = world.branch("closing", {"closing.txt": "1"})
    pull = world.lab.create_pull(base="main", head="closing", title="Closing", body="")
    with pytest.raises(GithubException, match="already exists"):
        world.lab.create_pull(base="main", head="closing", title="Twice", body="")
    pull.edit(state="closed")
    pull.edit(state="open")
    world.you.delete_branch("closing")
    assert world.lab.get_pull(pull.number).state == "closed"
    with pytest.raises(httpx2.HTTPStatusError, match="422"):
        world.you.reopen_pull(pull.number)
    world.you.create_branch("closing", at=head)
    assert world.you.reopen_pull(pull.number)["state"] == "open"


def test_reviews(world: World) -> None:
    world.branch("review", {"review.txt": "1"})
    pull = world.lab.create_pull(base="main", head="review", title="Review me", body="")
    world.you.review(pull.number, "REQUEST_CHANGES", "Shorter, please")
    [review] = pull.get_reviews()
    assert (review.state, review.body, review.user.login) == ("CHANGES_REQUESTED", "Shorter, please", "you")
    with pytest.raises(GithubException, match="your own pull request"):
        pull.create_review(event="APPROVE")


def test_contents_and_comparison(world: World) -> None:
    sha = world.you.edit_file("docs/page.md", "One\n")
    assert world.you.edit_file("docs/page.md", "Two\n") != sha
    answer = call(world, "PUT", f"/repos/{LAB}/contents/docs/page.md", json={"message": "m", "content": "YQ=="})
    assert answer.status_code == 422
    listed = world.lab.get_contents("docs")
    assert [file.path for file in listed] == ["docs/page.md"]  # type: ignore[union-attr]
    compared = world.lab.compare(sha, "main")
    assert (compared.status, compared.ahead_by, compared.behind_by) == ("ahead", 1, 0)
    assert compared.files[0].patch == "@@ -1 +1 @@\n-One\n+Two"
    assert world.lab.get_commit("main").files[0].filename == "docs/page.md"


def test_check_runs(world: World) -> None:
    lab, head = world.lab, world.lab.get_git_ref("heads/main").object.sha
    output: Any = {"title": "Training", "summary": "Soon"}
    check = lab.create_check_run("trainwright / result", head, status="in_progress", external_id="7", output=output)
    check.edit(conclusion="success", output={"title": "2.31", "summary": "Better"})
    [seen] = lab.get_commit(head).get_check_runs(check_name="trainwright / result")
    assert (seen.status, seen.conclusion, seen.output.title, seen.external_id) == ("completed", "success", "2.31", "7")
    assert call(world, "POST", f"/repos/{LAB}/check-runs", json={"name": "x", "head_sha": head}).status_code == 403
