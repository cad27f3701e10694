"""Webhook deliveries, signed and read; and the names by which an event is traced back to its experiment.

An event is a reason to look, never a fact to act on: all that is kept of it is where to look.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from bot.errors import PayloadError, SignatureError

_NUMBER = r"[1-9][0-9]{0,9}"
_RUN = rf"{_NUMBER}[a-z]?"
INPUTS = 12
"""So many digits of the inputs' id are enough to tell them apart."""

_WORD = re.compile(r"[a-z][a-z_]{0,63}")
_GUID = re.compile(r"[!-~]{1,200}")
_LAB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}\Z)[A-Za-z0-9_.-]+")
_BRANCH = re.compile(rf"experiment/({_NUMBER})/.+")
_REQUEST = re.compile(rf"({_NUMBER})\.({_RUN})\.([0-9a-f]{{{INPUTS}}})\.({_NUMBER})")


def branches_of(issue: int) -> str:
    """How the names of an experiment's branches begin."""
    return f"experiment/{issue}/"


def branch_of(issue: int, run: str) -> str:
    return f"{branches_of(issue)}run-{run}"


def report_branch(issue: int, instead_of: str) -> str:
    """The report's branch: it takes the place of the run that would have come next."""
    return f"{branches_of(issue)}report-{instead_of}"


def experiment_of(branch: str) -> int | None:
    """The experiment that a branch belongs to, by the branch's name."""
    match = _BRANCH.fullmatch(branch)
    return int(match[1]) if match else None


@dataclass(frozen=True)
class Request:
    """One training asked for: `run` is "3" or "7a", `inputs` the first digits of the inputs' id."""

    experiment: int
    run: str
    inputs: str
    ordinal: int


def request_name(issue: int, run: str, inputs: str, ordinal: int) -> str:
    """The word by which a workflow run is found again: the last one of its title."""
    return f"{issue}.{run}.{inputs[:INPUTS]}.{ordinal}"


def parse_request(text: str) -> Request | None:
    """The request in the title of a workflow run, or None when the run is none of ours."""
    match = _REQUEST.fullmatch(text.split()[-1]) if text.strip() else None
    return Request(int(match[1]), match[2], match[3], int(match[4])) if match else None


def sign(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify(secret: str, body: bytes, signature: str | None) -> None:
    """Raises SignatureError unless the body was signed with our secret. An empty secret signs nothing."""
    if not secret:
        raise SignatureError("There is no webhook secret to check the delivery with.")
    if signature is None:
        raise SignatureError("The delivery is not signed: X-Hub-Signature-256 is missing.")
    if not hmac.compare_digest(sign(secret, body).encode(), signature.encode(errors="replace")):
        raise SignatureError("The delivery's signature is not ours: does the webhook have the same secret as the bot?")


@dataclass(frozen=True)
class Event:
    """Where to look. With neither `experiment` nor `thread` there is nothing to look at.

    `thread` is the number of an issue or pull request of which the payload does not tell the experiment.
    """

    kind: str
    action: str
    guid: str
    lab: str
    experiment: int | None = None
    thread: int | None = None
    sender: str = ""


def parse(*, kind: str, guid: str, body: bytes) -> Event:
    """Raises PayloadError, and nothing else, on what GitHub does not send."""
    if not _WORD.fullmatch(kind):
        _refuse("X-GitHub-Event does not name an event")
    if not _GUID.fullmatch(guid):
        _refuse("X-GitHub-Delivery is missing or odd")
    payload = _Node(_decode(body), "payload")
    experiment, thread = _PLACES.get(kind, _nowhere)(payload)
    lab = _lab(payload)
    if lab == "" and (experiment or thread):
        _refuse("`repository` is missing")
    return Event(
        kind=kind,
        action=_action(payload),
        guid=guid,
        lab=lab,
        experiment=experiment,
        thread=thread,
        sender=_sender(payload),
    )


_Place = tuple[int | None, int | None]


def _nowhere(payload: "_Node") -> _Place:
    """Pushes and check runs are here too: of those that matter a pull_request or workflow_run event tells as well."""
    return None, None


def _issue(payload: "_Node") -> _Place:
    issue = payload.at("issue")
    number = issue.number("number")
    return (None, number) if issue.has("pull_request") else (number, None)


def _pull_request(payload: "_Node") -> _Place:
    """By the head's branch. A pull request from any other branch is none of ours."""
    return experiment_of(payload.at("pull_request").at("head").text("ref")), None


def _workflow_run(payload: "_Node") -> _Place:
    request = parse_request(payload.at("workflow_run").text("display_title"))
    return (request.experiment if request else None), None


_PLACES: dict[str, Callable[["_Node"], _Place]] = {
    "issues": _issue,
    "issue_comment": _issue,
    "pull_request": _pull_request,
    "pull_request_review": _pull_request,
    "pull_request_review_comment": _pull_request,
    "workflow_run": _workflow_run,
}


def _lab(payload: "_Node") -> str:
    if not payload.has("repository"):
        return ""
    name = payload.at("repository").text("full_name")
    return name if _LAB.fullmatch(name) else _refuse("`repository.full_name` is not owner/name")


def _sender(payload: "_Node") -> str:
    return payload.at("sender").text("login") if payload.has("sender") else ""


def _action(payload: "_Node") -> str:
    if not payload.has("action"):
        return ""
    action = payload.text("action")
    return action if _WORD.fullmatch(action) else _refuse("`action` is not a word")


class _Node:
    """An object of the payload, with the path to it for complaints."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            _refuse(f"`{path}` is not an object")
        self._value = value
        self._path = path

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def at(self, key: str) -> "_Node":
        return _Node(self._value.get(key), f"{self._path}.{key}")

    def text(self, key: str) -> str:
        value = self._value.get(key)
        return value if isinstance(value, str) else _refuse(f"`{self._path}.{key}` is not a text")

    def number(self, key: str) -> int:
        value = self._value.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**10:
            return value
        _refuse(f"`{self._path}.{key}` is not a number that an issue may have")


def _decode(body: bytes) -> object:
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        _refuse("it is not JSON in UTF-8")


def _refuse(complaint: str) -> NoReturn:
    raise PayloadError(f"The delivery is not what GitHub sends: {complaint}.")
