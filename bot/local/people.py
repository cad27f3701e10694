"""A person at the stand-in: acts over the same REST as the bot, with a token of their own."""

import base64
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx2

from bot.local.answers_base import Json

PER_PAGE = 100


class Person:
    """Each act answers GitHub's JSON; a refusal raises httpx2.HTTPStatusError."""

    def __init__(self, login: str, *, token: str, api_url: str, repo: str) -> None:
        self.login = login
        self._client = httpx2.Client(
            base_url=f"{api_url}/repos/{repo}",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
            timeout=30,
            trust_env=False,
        )

    def __enter__(self) -> "Person":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    # Reading

    def issue(self, number: int) -> Json:
        return self._get(f"/issues/{number}")

    def issues(self, *, state: str = "all", labels: str = "") -> list[Json]:
        return self._list("/issues", state=state, labels=labels)

    def comments(self, number: int) -> list[Json]:
        return self._list(f"/issues/{number}/comments")

    def timeline(self, number: int) -> list[Json]:
        return self._list(f"/issues/{number}/timeline")

    def reactions(self, number: int) -> list[Json]:
        return self._list(f"/issues/{number}/reactions")

    def pull(self, number: int) -> Json:
        return self._get(f"/pulls/{number}")

    def pulls(self, *, state: str = "open") -> list[Json]:
        """Oldest first."""
        return self._list("/pulls", state=state, direction="asc")

    def files(self, number: int) -> list[Json]:
        return self._list(f"/pulls/{number}/files")

    def reviews(self, number: int) -> list[Json]:
        return self._list(f"/pulls/{number}/reviews")

    def checks(self, ref: str) -> list[Json]:
        return self._list(f"/commits/{ref}/check-runs", inside="check_runs")

    def runs(self) -> list[Json]:
        """Workflow runs, newest first."""
        return self._list("/actions/runs", inside="workflow_runs")

    def read_file(self, path: str, *, ref: str = "main") -> str | None:
        answer = self._client.get(f"/contents/{path}", params={"ref": ref})
        if answer.status_code == 404:
            return None
        content = answer.raise_for_status().json()["content"]
        return base64.b64decode(content).decode(errors="replace")

    def list_files(self, folder: str = "", *, ref: str = "main") -> list[str]:
        """Paths of all files below a folder."""
        tree = self._get(f"/git/trees/{ref}", recursive="1")["tree"]
        inside = f"{folder.rstrip('/')}/" if folder else ""
        return [line["path"] for line in tree if line["type"] == "blob" and line["path"].startswith(inside)]

    def ref(self, name: str) -> str | None:
        """The sha of heads/main, pull/3/head, …"""
        answer = self._client.get(f"/git/ref/{name}")
        return None if answer.status_code == 404 else str(answer.raise_for_status().json()["object"]["sha"])

    # Issues

    def open_issue(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> Json:
        return self._send("POST", "/issues", title=title, body=body, labels=list(labels))

    def edit_issue(self, number: int, **changes: str) -> Json:
        """title, body, state, state_reason."""
        return self._send("PATCH", f"/issues/{number}", **changes)

    def comment(self, number: int, body: str) -> Json:
        return self._send("POST", f"/issues/{number}/comments", body=body)

    def edit_comment(self, comment_id: int, body: str) -> Json:
        return self._send("PATCH", f"/issues/comments/{comment_id}", body=body)

    def delete_comment(self, comment_id: int) -> None:
        self._client.delete(f"/issues/comments/{comment_id}").raise_for_status()

    def label(self, number: int, *names: str) -> None:
        self._client.post(f"/issues/{number}/labels", json={"labels": names}).raise_for_status()

    def unlabel(self, number: int, name: str) -> None:
        self._client.delete(f"/issues/{number}/labels/{name}").raise_for_status()

    def close_issue(self, number: int, *, reason: str = "completed") -> Json:
        return self._send("PATCH", f"/issues/{number}", state="closed", state_reason=reason)

    def reopen_issue(self, number: int) -> Json:
        return self._send("PATCH", f"/issues/{number}", state="open")

    # Pull requests

    def open_pull(self, title: str, *, head: str, base: str = "main", body: str = "") -> Json:
        return self._send("POST", "/pulls", title=title, head=head, base=base, body=body)

    def edit_pull(self, number: int, **changes: str) -> Json:
        """title, body, state."""
        return self._send("PATCH", f"/pulls/{number}", **changes)

    def merge(self, number: int, *, method: str = "merge", sha: str | None = None) -> Json:
        guard = {"sha": sha} if sha else {}
        return self._send("PUT", f"/pulls/{number}/merge", merge_method=method, **guard)

    def close_pull(self, number: int) -> Json:
        return self._send("PATCH", f"/pulls/{number}", state="closed")

    def reopen_pull(self, number: int) -> Json:
        return self._send("PATCH", f"/pulls/{number}", state="open")

    def review(self, number: int, event: str, body: str = "") -> Json:
        """APPROVE, REQUEST_CHANGES or COMMENT."""
        return self._send("POST", f"/pulls/{number}/reviews", event=event, body=body)

    # Files, branches and workflow runs

    def edit_file(self, path: str, content: str, *, branch: str = "main", message: str = "") -> str:
        """Creates or replaces it; answers the commit."""
        there = self._client.get(f"/contents/{path}", params={"ref": branch})
        old = {"sha": there.json()["sha"]} if there.status_code == 200 else {}
        encoded = base64.b64encode(content.encode()).decode()
        body: dict[str, Any] = {"message": message or f"Edit {path}", "content": encoded, "branch": branch, **old}
        answer = self._send("PUT", f"/contents/{path}", **body)
        return str(answer["commit"]["sha"])

    def commit(self, branch: str, files: Mapping[str, str | None], message: str = "") -> str:
        """Writes all of these files at once, and removes those that are None. Answers the commit."""
        head = self._get(f"/git/ref/heads/{branch}")["object"]["sha"]
        lines = [_tree_line(path, content) for path, content in files.items()]
        tree = self._send("POST", "/git/trees", base_tree=head, tree=lines)["sha"]
        message = message or f"Edit {', '.join(files)}"
        made = self._send("POST", "/git/commits", message=message, tree=tree, parents=[head])["sha"]
        self.move_branch(branch, to=made)
        return str(made)

    def move_branch(self, name: str, *, to: str, force: bool = False) -> Json:
        return self._send("PATCH", f"/git/refs/heads/{name}", sha=to, force=force)

    def create_branch(self, name: str, *, at: str) -> Json:
        return self._send("POST", "/git/refs", ref=f"refs/heads/{name}", sha=at)

    def delete_branch(self, name: str) -> None:
        self._client.delete(f"/git/refs/heads/{name}").raise_for_status()

    def dispatch(self, workflow: str, *, ref: str = "main", **inputs: str) -> None:
        sent = self._client.post(f"/actions/workflows/{workflow}/dispatches", json={"ref": ref, "inputs": inputs})
        sent.raise_for_status()

    def cancel_run(self, run_id: int) -> None:
        self._send("POST", f"/actions/runs/{run_id}/cancel")

    def rerun(self, run_id: int) -> None:
        self._send("POST", f"/actions/runs/{run_id}/rerun")

    # HTTP

    def _get(self, path: str, **query: str) -> Json:
        answer: Json = self._client.get(path, params=query).raise_for_status().json()
        return answer

    def _list(self, path: str, *, inside: str = "", **query: str) -> list[Json]:
        """All pages of it."""
        found: list[Json] = []
        for page in range(1, 1000):
            numbers = {"page": page, "per_page": PER_PAGE}
            answer = self._client.get(path, params={**query, **numbers}).raise_for_status().json()
            batch = answer[inside] if inside else answer
            found += batch
            if len(batch) < PER_PAGE:
                break
        return found

    def _send(self, method: str, path: str, **body: object) -> Json:
        answer: Json = self._client.request(method, path, json=body).raise_for_status().json()
        return answer


def _tree_line(path: str, content: str | None) -> Json:
    line = {"path": path, "mode": "100644", "type": "blob"}
    return {**line, "sha": None} if content is None else {**line, "content": content}
