"""GitHub in verbs of ours, each a request or a few. How a request travels is in wire.py."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2

from bot.artifact import join, unzip
from bot.comments import CHECK
from bot.errors import ArtifactError, GitHubError, Moved, NotFound, Refused, Unavailable
from bot.events import Request, branches_of, parse_request
from bot.experiment import Check, Comment, Pull
from bot.folder import FILE, Entry, blob_sha
from bot.lab import WORKFLOW
from bot.memory import Memory
from bot.pieces import CheckRun
from bot.wire import LIMITED, Json, Wire, Wires, stamp

EDITOR = (
    "query($owner:String!,$name:String!,$number:Int!)"
    "{repository(owner:$owner,name:$name){issue(number:$number){lastEditedAt editor{login}}}}"
)


@dataclass(frozen=True)
class Happening:
    """One entry of an issue's timeline that matters here."""

    id: int
    event: str
    login: str
    label: str
    at: datetime


@dataclass(frozen=True)
class IssueFacts:
    """`comments` is how many it has; `updated` is when anything last happened to it."""

    number: int
    title: str
    body: str
    author: str
    url: str
    open: bool
    labels: frozenset[str]
    seen: int
    comments: int
    updated: datetime


@dataclass(frozen=True)
class CommentFacts:
    id: int
    login: str
    body: str
    by_us: bool
    by_bot: bool
    at: datetime


@dataclass(frozen=True)
class WorkflowRun:
    id: int
    attempt: int
    title: str
    request: Request
    status: str
    conclusion: str | None
    created: datetime
    updated: datetime
    url: str

    @property
    def done(self) -> bool:
        return self.status == "completed"

    @property
    def sha(self) -> str:
        return next((word for word in self.title.split() if len(word) == 40), "")


@dataclass(frozen=True)
class Dispatched:
    """The workflow run that a dispatch made."""

    id: int
    url: str


class App:
    """The GitHub App: which labs it is installed in, and a gateway to each."""

    def __init__(self, *, api_url: str, app_id: str, private_key: str, pace: bool, limited: float = LIMITED) -> None:
        self._wires = Wires(api_url=api_url, app_id=app_id, private_key=private_key, pace=pace, limited=limited)
        self._download = httpx2.Client(timeout=60.0)
        self._slug = ""

    @property
    def slug(self) -> str:
        self._slug = self._slug or str(self._wires.app.get_once("/app")["slug"])
        return self._slug

    @property
    def login(self) -> str:
        """By what name the app acts, as far as it is known already."""
        return f"{self._slug}[bot]" if self._slug else ""

    def labs(self) -> list[str]:
        """Every repository in which the app is installed: a request, and one for each installation."""
        installations = [installation["id"] for installation in self._wires.app.all("/app/installations")]
        return [
            str(repository["full_name"])
            for number in installations
            for repository in self._wires.installation(number).all("/installation/repositories", key="repositories")
        ]

    def gateway(self, lab: str) -> "Gateway":
        installation = self._wires.app.get_once(f"/repos/{lab}/installation")
        return Gateway(self._wires.installation(installation["id"]), lab, slug=self.slug, download=self._download)

    def close(self) -> None:
        self._wires.close()
        self._download.close()


class Gateway:
    """One lab. Every method is one request unless it says otherwise; each may raise a GitHubError."""

    def __init__(self, wire: Wire, lab: str, *, slug: str, download: httpx2.Client) -> None:
        self.lab = lab
        self.login = f"{slug}[bot]"
        self._wire = wire
        self._download = download
        self._blobs: Memory[str, bytes] = Memory(4096)
        self._trees: Memory[str, Mapping[str, Entry]] = Memory(256)
        self._tree_ids: Memory[str, str] = Memory(1024)
        self._repository: Json = {}

    # Reading

    @property
    def main(self) -> str:
        """The name of the default branch."""
        return str(self._facts["default_branch"])

    @property
    def _facts(self) -> Json:
        self._repository = self._repository or self._get("")
        return self._repository

    def head(self, branch: str) -> str | None:
        """The commit that a branch points to; None without such a branch."""
        try:
            return str(self._get(f"/git/ref/heads/{quote(branch)}")["object"]["sha"])
        except NotFound:
            return None

    def branches(self, experiment: int) -> Mapping[str, str]:
        """The experiment's branches, each with the commit that it points to."""
        found = self._all(f"/git/matching-refs/heads/{branches_of(experiment)}")
        return {data["ref"].removeprefix("refs/heads/"): data["object"]["sha"] for data in found}

    def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit, by path. Remembered: commits do not change."""
        return self._trees.get(commit) or self._trees.put(commit, self._fetch_tree(commit))

    def blob(self, sha: str) -> bytes:
        known = self._blobs.get(sha)
        return self._blobs.put(sha, self._fetch_blob(sha)) if known is None else known

    def issue(self, number: int) -> IssueFacts:
        """NotFound when there is none, or none any more: deleted, or transferred to another repository."""
        data = self._get(f"/issues/{number}")
        if "pull_request" in data:
            raise NotFound(f"#{number} is a pull request.")
        if data["number"] != number or not self._is_here(data["repository_url"]):
            raise NotFound(f"#{number} was transferred to {data['html_url']}.")
        return IssueFacts(
            number=number,
            title=data["title"],
            body=data["body"] or "",
            author=_login(data["user"]),
            url=data["html_url"],
            open=data["state"] == "open",
            labels=frozenset(label["name"] for label in data["labels"]),
            seen=data["reactions"]["eyes"],
            comments=data["comments"],
            updated=_time(data["updated_at"]),
        )

    def _is_here(self, repository_url: str) -> bool:
        """Not so for a transferred issue. A lab that was renamed is asked for its new address."""
        if repository_url.casefold() == str(self._facts["url"]).casefold():
            return True
        return repository_url.casefold() == str(self._get("")["url"]).casefold()

    def editor(self, issue: int) -> tuple[str, datetime] | None:
        """Who edited the issue's text last, and when. REST does not tell, so this is the one question in GraphQL."""
        owner, name = self.lab.split("/")
        found = self._wire.graphql(EDITOR, owner=owner, name=name, number=issue)["repository"]["issue"]
        if not found["lastEditedAt"]:
            return None
        return _login(found["editor"]), _time(found["lastEditedAt"])

    def branch_of_thread(self, number: int) -> str | None:
        """The head branch when the thread is a pull request."""
        try:
            return str(self._get(f"/pulls/{number}")["head"]["ref"])
        except NotFound:
            return None

    def timeline(self, number: int) -> list[Happening]:
        """Labels, renamings, closings and reopenings, oldest first."""
        wanted = ("labeled", "unlabeled", "renamed", "closed", "reopened")
        return [
            Happening(
                e["id"], e["event"], _login(e["actor"]), (e.get("label") or {}).get("name", ""), _time(e["created_at"])
            )
            for e in self._all(f"/issues/{number}/timeline")
            if e["event"] in wanted
        ]

    def comments(self, thread: int) -> list[CommentFacts]:
        return [
            CommentFacts(
                id=data["id"],
                login=_login(data["user"]),
                body=data["body"] or "",
                by_us=_login(data["user"]) == self.login,
                by_bot=(data["user"] or {}).get("type") == "Bot",
                at=_time(data["created_at"]),
            )
            for data in self._all(f"/issues/{thread}/comments")
        ]

    def may_write(self, login: str) -> bool:
        try:
            data = self._get(f"/collaborators/{quote(login)}/permission")
        except NotFound:
            return False
        return data["permission"] in ("admin", "write")

    def pull_from(self, branch: str) -> Pull | None:
        """The newest pull request of a branch of this lab, whether the branch still exists or not.

        Two requests unless it is merged: the list lags behind, so the pull request itself is asked for.
        """
        owner = self.lab.split("/")[0]
        found = self._get("/pulls", head=f"{owner}:{branch}", state="all", sort="created", direction="desc", per_page=1)
        if not found:
            return None
        listed = _pull(found[0])
        return listed if listed.merged else _pull(self._get(f"/pulls/{listed.number}"))

    def workflow_runs(self, experiment: int, *, since: datetime) -> list[WorkflowRun]:
        """Our trainings of an experiment, the oldest first. One that the list shows at work is asked for itself."""
        path = f"/actions/workflows/{WORKFLOW}/runs"
        try:
            found = list(self._all(path, key="workflow_runs", event="workflow_dispatch", created=f">={stamp(since)}"))
        except NotFound:
            return []
        runs = [run for data in found if (run := _workflow_run(data)) and run.request.experiment == experiment]
        return sorted((run if run.done else self._now(run) for run in runs), key=lambda run: run.id)

    def _now(self, run: WorkflowRun) -> WorkflowRun:
        return _workflow_run(self._get(f"/actions/runs/{run.id}")) or run

    def artifact(self, run: WorkflowRun) -> Mapping[str, bytes] | None:
        """The files of the run's artifact; None when it sent none. Raises ArtifactError when it is broken or hostile.

        Three requests: the list, the redirect, and the download, which goes without our token.
        """
        name = f"result-{run.attempt}"
        listed = self._get(f"/actions/runs/{run.id}/artifacts", per_page=100)["artifacts"]
        found = next((artifact for artifact in listed if artifact["name"] == name), None)
        if found is None:
            return None
        if found["expired"]:
            raise ArtifactError("It has expired.")
        return unzip(self._storage(self._wire.location(self._url(f"/actions/artifacts/{found['id']}/zip"))))

    def _storage(self, place: str) -> bytes:
        try:
            with self._download.stream("GET", place) as answer:
                if answer.status_code != 200:
                    raise Unavailable(f"The artifact's storage answered {answer.status_code}.")
                return join(answer.iter_bytes())
        except httpx2.HTTPError as error:
            raise Unavailable(f"The artifact could not be fetched: {error}") from error

    def checks(self, sha: str) -> list[Check]:
        data = self._get(f"/commits/{sha}/check-runs", check_name=CHECK, per_page=100)
        return [_check(check) for check in data["check_runs"]]

    def open_experiments(self) -> list[int]:
        found = self._all("/issues", labels="experiment", state="open")
        return [data["number"] for data in found if "pull_request" not in data]

    def changed(self, path: str, etag: str, **parameters: object) -> tuple[str, Any]:
        """For the sweep: (the new etag, GitHub's own JSON), and None for that where nothing has changed."""
        try:
            return self._wire.changed(self._url(path), etag, **parameters)
        except NotFound:  # no workflow yet, or no commit
            return "", None

    def merge_base(self, one: str, other: str) -> str:
        """The commit at which two histories parted."""
        return str(self._get(f"/compare/{one}...{other}", per_page=1)["merge_base_commit"]["sha"])

    # Writing

    def commit(
        self, *, parents: Sequence[str], base: str, files: Mapping[str, str | bytes | None], message: str
    ) -> str:
        """A commit of `base`'s files and these (None takes one away), on no branch yet.

        Two requests, and one for each binary file.
        """
        tree_id = self._tree_ids.get(base) or str(self._get(f"/git/commits/{base}")["tree"]["sha"])
        contents = {path: self._content(content) for path, content in files.items()}
        entries = [{"path": path, "mode": FILE, "type": "blob", **content} for path, content in contents.items()]
        tree = str(self._post("/git/trees", base_tree=tree_id, tree=entries)["sha"]) if entries else tree_id
        sha = str(self._post("/git/commits", message=message, tree=tree, parents=list(parents))["sha"])
        self._tree_ids.put(sha, tree)
        self._trees.put(sha, self._with(self.tree(base), files))
        return sha

    def _with(self, tree: Mapping[str, Entry], files: Mapping[str, str | bytes | None]) -> Mapping[str, Entry]:
        """The tree that comes of it, without asking; what was written is known, too."""
        changed = dict(tree)
        for path, content in files.items():
            if content is None:
                changed.pop(path, None)
                continue
            written = content.encode() if isinstance(content, str) else content
            changed[path] = Entry(FILE, blob_sha(written))
            self._blobs.put(blob_sha(written), written)
        return changed

    def _content(self, content: str | bytes | None) -> Json:
        if content is None:
            return {"sha": None}
        if isinstance(content, str):
            return {"content": content}
        encoded = base64.b64encode(content).decode()
        return {"sha": self._post("/git/blobs", content=encoded, encoding="base64")["sha"]}

    def create_branch(self, branch: str, sha: str) -> bool:
        """An existing branch is left as it is; then False."""
        try:
            self._post("/git/refs", ref=f"refs/heads/{branch}", sha=sha)
        except Refused as error:
            if "already exists" not in str(error):
                raise
            return False
        return True

    def move_branch(self, branch: str, sha: str) -> None:
        """Raises Moved when the branch has gone on meanwhile, or is gone."""
        try:
            self._patch(f"/git/refs/heads/{quote(branch)}", sha=sha, force=False)
        except Refused as error:
            if "fast forward" in str(error) or "does not exist" in str(error):
                raise Moved(f"`{branch}` has moved.") from None
            raise

    def open_pull(self, *, branch: str, title: str, body: str) -> Pull | None:
        """One that is open for this branch already is left as it is; then None."""
        try:
            return _pull(self._post("/pulls", head=branch, base=self.main, title=title, body=body))
        except Refused as error:
            if "already exists" not in str(error):
                raise
            return None

    def edit_pull(self, number: int, *, body: str) -> None:
        self._patch(f"/pulls/{number}", body=body)

    def comment(self, thread: int, body: str) -> Comment:
        return Comment(int(self._post(f"/issues/{thread}/comments", body=body)["id"]), body, ours=True)

    def edit_comment(self, comment: int, body: str) -> None:
        self._patch(f"/issues/comments/{comment}", body=body)

    def react(self, number: int) -> None:
        self._post(f"/issues/{number}/reactions", content="eyes")

    def add_label(self, number: int, label: str) -> None:
        self._post(f"/issues/{number}/labels", labels=[label])

    def remove_label(self, number: int, label: str) -> None:
        with suppress(NotFound):  # it is off, which is what was wanted
            self._wire.delete(self._url(f"/issues/{number}/labels/{quote(label)}"))

    def create_labels(self, labels: Mapping[str, str]) -> None:
        """Labels that an issue form names are only set when they exist. One or two requests each."""
        for name, description in labels.items():
            try:
                self._get(f"/labels/{quote(name)}")
            except NotFound:
                with suppress(Refused):  # 422: somebody was faster
                    self._post("/labels", name=name, description=description)

    def close_issue(self, number: int) -> None:
        self._patch(f"/issues/{number}", state="closed", state_reason="completed")

    def dispatch(self, inputs: Mapping[str, str]) -> Dispatched | None:
        """Start main's training workflow. None where GitHub does not say which run that is (an older server)."""
        fields = {"ref": self.main, "inputs": dict(inputs), "return_run_details": True}
        told = self._post(f"/actions/workflows/{WORKFLOW}/dispatches", **fields)
        return Dispatched(told["workflow_run_id"], told["html_url"]) if told else None

    def cancel(self, workflow_run: int) -> None:
        with suppress(Moved):  # 409: it has ended meanwhile
            self._post(f"/actions/runs/{workflow_run}/cancel")

    def set_check(self, check: CheckRun, *, known: Sequence[Check]) -> Check:
        """Create the check run on its commit, or bring the one with the same external id up to date."""
        old = next((c for c in known if c.external_id == check.external_id), None)
        fields: Json = {
            "name": CHECK,
            "status": check.status,
            "external_id": check.external_id,
            "details_url": check.url,
            "output": {"title": check.title, "summary": check.summary},
        }
        if check.conclusion:
            fields["conclusion"] = check.conclusion
        if old:
            self._patch(f"/check-runs/{old.id}", **fields)
            return Check(old.id, check.external_id, check.status, check.conclusion, check.title)
        return _check(self._post("/check-runs", head_sha=check.sha, **fields))

    # Requests

    def _fetch_blob(self, sha: str) -> bytes:
        return base64.b64decode(self._wire.get_once(self._url(f"/git/blobs/{sha}"))["content"])

    def _fetch_tree(self, commit: str) -> Mapping[str, Entry]:
        data = self._wire.get_once(self._url(f"/git/trees/{commit}?recursive=1"))
        if data["truncated"]:
            raise GitHubError("The repository has more files than GitHub lists at once (100,000).")
        return {e["path"]: Entry(e["mode"], e["sha"]) for e in data["tree"] if e["type"] != "tree"}

    def _get(self, path: str, **parameters: object) -> Any:
        return self._wire.get(self._url(path), **parameters)

    def _all(self, path: str, *, key: str | None = None, **parameters: object) -> Iterator[Json]:
        return self._wire.all(self._url(path), key=key, **parameters)

    def _post(self, path: str, **fields: object) -> Json:
        return self._wire.post(self._url(path), **fields)

    def _patch(self, path: str, **fields: object) -> None:
        self._wire.patch(self._url(path), **fields)

    def _url(self, path: str) -> str:
        return f"/repos/{self.lab}{path}"


def _pull(data: Json) -> Pull:
    return Pull(
        number=data["number"],
        branch=data["head"]["ref"],
        head=data["head"]["sha"],
        open=data["state"] == "open",
        merged=data["merged_at"] is not None,
        title=data["title"],
        body=data["body"] or "",
        url=data["html_url"],
        created=_time(data["created_at"]),
        updated=_time(data["updated_at"]),
        closed_at=_time(data["closed_at"]) if data["closed_at"] else None,
        mergeable=data.get("mergeable"),
        comments=data.get("comments"),
    )


def _check(data: Json) -> Check:
    title = data["output"]["title"] or ""
    return Check(data["id"], data["external_id"] or "", data["status"], data["conclusion"], title)


def _workflow_run(data: Json) -> WorkflowRun | None:
    request = parse_request(data["display_title"])
    # The path may carry the ref it was read from: .github/workflows/train.yml@main
    if request is None or not data["path"].partition("@")[0].endswith(f"/{WORKFLOW}"):
        return None
    return WorkflowRun(
        id=data["id"],
        attempt=data["run_attempt"],
        title=data["display_title"],
        request=request,
        status=data["status"],
        conclusion=data["conclusion"],
        created=_time(data["created_at"]),
        updated=_time(data["updated_at"]),
        url=data["html_url"],
    )


def _login(user: Json | None) -> str:
    return str(user["login"]) if user else "ghost"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
