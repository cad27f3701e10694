"""GitHub in verbs of ours: the only importer of PyGithub.

PyGithub brings authentication, pacing, pagination's pages and rate limits. Requests are written out here and go through
its requester, because its objects complete themselves by requests of their own, and how many we make is counted.
Only reads on a connection that broke are sent again; whatever else fails becomes an error of ours, and the queue looks
again.
"""

import base64
import io
import itertools
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urljoin

import httpx2
import requests
import urllib3
from github import Auth, Github, GithubException, GithubIntegration, RateLimitExceededException

from bot.comments import CHECK
from bot.errors import ArtifactError, GitHubError, Moved, NotFound, Refused, Unavailable
from bot.events import Request, parse_request
from bot.experiment import Check, Pull
from bot.folder import Entry
from bot.lab import WORKFLOW
from bot.pieces import CheckRun
from runner.result import ARTIFACT_NAMES, ARTIFACT_SIZES

READS_ONLY = urllib3.Retry(total=2, status=0, redirect=0, allowed_methods={"GET"}, backoff_factor=0.2)
ZIP_LIMIT = 96 * 1024 * 1024

Json = dict[str, Any]  # GitHub's own shapes: they end in this module


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
    number: int
    title: str
    body: str
    author: str
    url: str
    open: bool
    labels: frozenset[str]
    seen: int


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
    url: str

    @property
    def sha(self) -> str:
        return next((word for word in self.title.split() if len(word) == 40), "")


class App:
    """The GitHub App: which labs it is installed in, and a gateway to each."""

    def __init__(self, *, api_url: str, app_id: str, private_key: str, pace: bool) -> None:
        pacing = {} if pace else {"seconds_between_requests": None, "seconds_between_writes": None}
        auth = Auth.AppAuth(app_id, private_key)
        self._integration = GithubIntegration(auth=auth, base_url=api_url, retry=READS_ONLY, lazy=True, **pacing)  # type: ignore[arg-type]
        self._download = httpx2.Client(timeout=60.0)
        self._installations: dict[int, Github] = {}
        self._slug = ""

    @property
    def slug(self) -> str:
        with translated():
            self._slug = self._slug or str(self._integration.requester.requestJsonAndCheck("GET", "/app")[1]["slug"])
        return self._slug

    def labs(self) -> list[str]:
        """Every repository in which the app is installed."""
        with translated():
            installations = [installation.id for installation in self._integration.get_installations()]
            return [name for number in installations for name in self._repositories(self._installation(number))]

    def _repositories(self, github: Github) -> Iterator[str]:
        for page in itertools.count(1):
            parameters = {"per_page": 100, "page": page}
            _, data = github.requester.requestJsonAndCheck("GET", "/installation/repositories", parameters)
            yield from (str(repository["full_name"]) for repository in data["repositories"])
            if len(data["repositories"]) < 100:
                return

    def gateway(self, lab: str) -> "Gateway":
        with translated():
            _, data = self._integration.requester.requestJsonAndCheck("GET", f"/repos/{lab}/installation")
            return Gateway(self._installation(data["id"]), lab, slug=self.slug, download=self._download)

    def _installation(self, number: int) -> Github:
        if number not in self._installations:
            self._installations[number] = self._integration.get_github_for_installation(number)
        return self._installations[number]

    def close(self) -> None:
        self._integration.close()
        self._download.close()
        for github in self._installations.values():
            github.close()


class Gateway:
    """One lab. Every method is one request unless it says otherwise; each may raise a GitHubError."""

    def __init__(self, github: Github, lab: str, *, slug: str, download: httpx2.Client) -> None:
        self.lab = lab
        self.login = f"{slug}[bot]"
        self._requester = github.requester
        self._download = download
        self._blob = lru_cache(maxsize=4096)(self._fetch_blob)
        self._tree = lru_cache(maxsize=256)(self._fetch_tree)
        self._default_branch = ""

    # Reading

    @property
    def main(self) -> str:
        """The name of the default branch."""
        self._default_branch = self._default_branch or str(self._get("")["default_branch"])
        return self._default_branch

    def head(self, branch: str) -> str | None:
        """The commit that a branch points to; None without such a branch."""
        try:
            return str(self._get(f"/git/ref/heads/{quote(branch)}")["object"]["sha"])
        except NotFound:
            return None

    def tree(self, commit: str) -> Mapping[str, Entry]:
        """Every file of a commit, by path. Remembered: commits do not change."""
        return self._tree(commit)

    def blob(self, sha: str) -> bytes:
        return self._blob(sha)

    def issue(self, number: int) -> IssueFacts:
        data = self._get(f"/issues/{number}")
        if "pull_request" in data:
            raise NotFound(f"#{number} is a pull request.")
        return IssueFacts(
            number=number,
            title=data["title"],
            body=data["body"] or "",
            author=_login(data["user"]),
            url=data["html_url"],
            open=data["state"] == "open",
            labels=frozenset(label["name"] for label in data["labels"]),
            seen=data["reactions"]["eyes"],
        )

    def branch_of_thread(self, number: int) -> str | None:
        """The head branch when the thread is a pull request."""
        try:
            return str(self._get(f"/pulls/{number}")["head"]["ref"])
        except NotFound:
            return None

    def timeline(self, number: int) -> list[Happening]:
        """Labels and renamings, oldest first."""
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

    def pulls_from(self, branch: str) -> list[Pull]:
        """Pull requests of a branch of this lab, whether it still exists or not; the oldest first."""
        owner = self.lab.split("/")[0]
        found = self._get("/pulls", head=f"{owner}:{branch}", state="all", sort="created", direction="asc")
        return [_pull(data) for data in found]

    def workflow_runs(self, experiment: int, *, since: datetime) -> list[WorkflowRun]:
        """Our trainings of an experiment, the oldest first."""
        path = f"/actions/workflows/{WORKFLOW}/runs"
        try:
            found = list(self._all(path, key="workflow_runs", event="workflow_dispatch", created=f">={_text(since)}"))
        except NotFound:
            return []
        runs = [run for data in found if (run := _workflow_run(data)) and run.request.experiment == experiment]
        return sorted(runs, key=lambda run: run.id)

    def artifact(self, run: WorkflowRun) -> Mapping[str, bytes] | None:
        """The files of the run's artifact; None when it sent none. Raises ArtifactError when it is broken or hostile.

        Two or three requests: the list, the redirect, and the download, which goes without our token.
        """
        name = f"result-{run.attempt}"
        listed = self._get(f"/actions/runs/{run.id}/artifacts", per_page=100)["artifacts"]
        found = next((artifact for artifact in listed if artifact["name"] == name), None)
        if found is None:
            return None
        if found["expired"]:
            raise ArtifactError("It has expired.")
        return unzip(self._storage(f"/actions/artifacts/{found['id']}/zip"))

    def _storage(self, path: str) -> bytes:
        with translated():
            status, headers, body = self._requester.requestJson("GET", self._url(path))
            if status != 302:
                raise Unavailable(f"GitHub answered {status} instead of where the artifact is: {body[:200]}")
        place = urljoin(self._requester.base_url, headers["location"])
        try:
            with self._download.stream("GET", place) as answer:
                if answer.status_code != 200:
                    raise Unavailable(f"The artifact's storage answered {answer.status_code}.")
                return _read_at_most(answer.iter_bytes(), ZIP_LIMIT)
        except httpx2.HTTPError as error:
            raise Unavailable(f"The artifact could not be fetched: {error}") from error

    def checks(self, sha: str) -> list[Check]:
        data = self._get(f"/commits/{sha}/check-runs", check_name=CHECK, per_page=100)
        return [
            Check(c["id"], c["external_id"] or "", c["status"], c["conclusion"], c["output"]["title"] or "")
            for c in data["check_runs"]
        ]

    def open_experiments(self) -> list[int]:
        found = self._all("/issues", labels="experiment", state="open")
        return [data["number"] for data in found if "pull_request" not in data]

    def changed_since(self, since: datetime) -> tuple[set[int], set[int]]:
        """Four lists: (experiments, threads that may belong to one) in which something happened."""
        text = _text(since)
        threads = {data["number"] for data in self._all("/issues", state="all", since=text)}
        comments = self._all("/issues/comments", since=text)
        threads |= {int(data["issue_url"].rsplit("/", 1)[1]) for data in comments}
        pulls = self._get("/pulls", state="all", sort="updated", direction="desc", per_page=50)
        threads |= {data["number"] for data in pulls if _time(data["updated_at"]) >= since}
        runs = self._get("/actions/runs", event="workflow_dispatch", per_page=50)["workflow_runs"]
        recent = [data for data in runs if _time(data["updated_at"]) >= since]
        return {run.request.experiment for data in recent if (run := _workflow_run(data))}, threads

    # Writing

    def commit(self, *, parent: str, files: Mapping[str, str | bytes], message: str) -> str:
        """A commit on top of `parent`, on no branch yet: a tree and a commit, and a blob for each binary file."""
        base = self._get(f"/git/commits/{parent}")["tree"]["sha"]
        entries = [
            {"path": path, "mode": "100644", "type": "blob", **self._content(content)}
            for path, content in files.items()
        ]
        tree = self._post("/git/trees", base_tree=base, tree=entries)["sha"]
        return str(self._post("/git/commits", message=message, tree=tree, parents=[parent])["sha"])

    def _content(self, content: str | bytes) -> Json:
        if isinstance(content, str):
            return {"content": content}
        encoded = base64.b64encode(content).decode()
        return {"sha": self._post("/git/blobs", content=encoded, encoding="base64")["sha"]}

    def create_branch(self, branch: str, sha: str) -> None:
        """An existing branch is left as it is."""
        try:
            self._post("/git/refs", ref=f"refs/heads/{branch}", sha=sha)
        except Refused as error:
            if "already exists" not in str(error):
                raise

    def move_branch(self, branch: str, sha: str) -> None:
        """Raises Moved when the branch has gone on meanwhile."""
        try:
            self._patch(f"/git/refs/heads/{quote(branch)}", sha=sha, force=False)
        except Refused as error:
            if "fast forward" in str(error):
                raise Moved(f"`{branch}` has moved.") from None
            raise

    def open_pull(self, *, branch: str, title: str, body: str) -> None:
        """One that is open for this branch already is left as it is."""
        try:
            self._post("/pulls", head=branch, base=self.main, title=title, body=body)
        except Refused as error:
            if "already exists" not in str(error):
                raise

    def edit_pull(self, number: int, *, body: str) -> None:
        self._patch(f"/pulls/{number}", body=body)

    def comment(self, thread: int, body: str) -> None:
        self._post(f"/issues/{thread}/comments", body=body)

    def edit_comment(self, comment: int, body: str) -> None:
        self._patch(f"/issues/comments/{comment}", body=body)

    def react(self, number: int) -> None:
        self._post(f"/issues/{number}/reactions", content="eyes")

    def add_label(self, number: int, label: str) -> None:
        self._post(f"/issues/{number}/labels", labels=[label])

    def remove_label(self, number: int, label: str) -> None:
        with suppress(NotFound):  # it is off, which is what was wanted
            self._call("DELETE", f"/issues/{number}/labels/{quote(label)}")

    def create_labels(self, labels: Mapping[str, str]) -> None:
        """Labels that an issue form names are only set when they exist. One or two requests each."""
        for name, description in labels.items():
            try:
                self._get(f"/labels/{quote(name)}")
            except NotFound:
                self._post("/labels", name=name, description=description)

    def close_issue(self, number: int) -> None:
        self._patch(f"/issues/{number}", state="closed", state_reason="completed")

    def dispatch(self, inputs: Mapping[str, str]) -> None:
        """Start main's training workflow."""
        self._post(f"/actions/workflows/{WORKFLOW}/dispatches", ref=self.main, inputs=dict(inputs))

    def cancel(self, workflow_run: int) -> None:
        with suppress(Moved):  # 409: it has ended meanwhile
            self._post(f"/actions/runs/{workflow_run}/cancel")

    def set_check(self, check: CheckRun, *, known: Sequence[Check]) -> None:
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
        else:
            self._post("/check-runs", head_sha=check.sha, **fields)

    # Requests

    def _fetch_blob(self, sha: str) -> bytes:
        return base64.b64decode(self._get(f"/git/blobs/{sha}")["content"])

    def _fetch_tree(self, commit: str) -> Mapping[str, Entry]:
        data = self._get(f"/git/trees/{commit}", recursive=1)
        if data["truncated"]:
            raise GitHubError("The repository has more files than GitHub lists at once (100,000).")
        return {e["path"]: Entry(e["mode"], e["sha"]) for e in data["tree"] if e["type"] != "tree"}

    def _get(self, path: str, **parameters: object) -> Any:
        return self._call("GET", path, parameters=parameters)

    def _post(self, path: str, **fields: object) -> Json:
        return self._call("POST", path, fields=fields) or {}

    def _patch(self, path: str, **fields: object) -> None:
        self._call("PATCH", path, fields=fields)

    def _all(self, path: str, *, key: str | None = None, **parameters: object) -> Iterator[Json]:
        for page in itertools.count(1):
            data = self._get(path, **parameters, per_page=100, page=page)
            entries = data[key] if key else data
            yield from entries
            if len(entries) < 100:
                return

    def _call(self, verb: str, path: str, *, parameters: Json | None = None, fields: Json | None = None) -> Any:
        with translated():
            return self._requester.requestJsonAndCheck(verb, self._url(path), parameters=parameters, input=fields)[1]

    def _url(self, path: str) -> str:
        return f"/repos/{self.lab}{path}"


@contextmanager
def translated() -> Iterator[None]:
    """PyGithub's and the network's exceptions as ours."""
    try:
        yield
    except RateLimitExceededException as error:
        raise Unavailable(f"GitHub's rate limit is used up: {_message(error)}") from error
    except GithubException as error:
        kinds: dict[int, type[GitHubError]] = {
            401: Refused,
            403: Refused,
            404: NotFound,
            409: Moved,
            410: NotFound,
            422: Refused,
        }
        kind = kinds.get(error.status, Unavailable)
        raise kind(f"GitHub answered {error.status}: {_message(error)}") from error
    except requests.exceptions.RequestException as error:
        raise Unavailable(f"GitHub could not be reached: {error}") from error


def _message(error: GithubException) -> str:
    data = error.data
    if not isinstance(data, dict):
        return str(data)[:300]
    details = [detail.get("message", "") for detail in data.get("errors", []) if isinstance(detail, dict)]
    return "; ".join(part for part in [str(data.get("message", "")), *details] if part)[:300]


def unzip(content: bytes) -> Mapping[str, bytes]:
    """The files that we know, each within its size. No name of the archive is used as a path."""
    files = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in ARTIFACT_NAMES:
                if name in archive.namelist():
                    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                        raise ArtifactError(f"{name} is compressed in a way that no runner of ours uses.")
                    with archive.open(name) as file:
                        files[name] = file.read(ARTIFACT_SIZES[name] + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ArtifactError(f"It is not a zip file that I can read: {error}.") from None
    large = [name for name, data in files.items() if len(data) > ARTIFACT_SIZES[name]]
    if large:
        raise ArtifactError(f"{', '.join(large)} is larger than allowed.")
    return files


def _read_at_most(chunks: Iterator[bytes], limit: int) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > limit:
            raise ArtifactError(f"It is larger than {limit // 1024**2} MB.")
    return bytes(content)


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
        closed_at=_time(data["closed_at"]) if data["closed_at"] else None,
    )


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
        url=data["html_url"],
    )


def _login(user: Json | None) -> str:
    return str(user["login"]) if user else "ghost"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
