"""GitHub's REST over PyGithub, of which this is the only importer: tokens, conditional reads, errors of ours.

PyGithub brings authentication, pacing and connections. Requests are written out and go through its requester, because
its objects complete themselves by requests of their own, and how many we make is counted. Reads are conditional: an
answer that has not changed costs nothing of the rate limit. Only reads are sent again at once; whatever else fails
becomes an error of ours, and the queue looks again.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin

import requests
import urllib3
from github import (
    Auth,
    BadCredentialsException,
    Github,
    GithubException,
    GithubIntegration,
    RateLimitExceededException,
)

from bot.errors import GitHubError, Moved, NotFound, Refused, Unavailable
from bot.memory import Memory

T = TypeVar("T")
Json = dict[str, Any]  # GitHub's own shapes: they end in the gateway

PER_PAGE = 100
LIMITED = 60.0
"""Seconds to keep still where GitHub refuses by a rate limit and does not say for how long."""
SOON = 5.0
"""Seconds of a rate limit that a look may spend waiting."""
LIMITS_IN_A_ROW = 5
REMEMBERED = 4096
"""Answers kept to be compared; a page of a list is the largest."""
_RETRY_READS = urllib3.Retry(
    total=3,
    redirect=0,
    allowed_methods={"GET"},
    status_forcelist={500, 502, 503, 504},
    backoff_factor=0.2,
    respect_retry_after_header=False,
    raise_on_status=False,
)


def stamp(at: datetime) -> str:
    """A time as GitHub takes it in an address."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Wire:
    """Requests in one name: an installation's, or the app's own. Each method is one request unless it says otherwise.

    Every method raises GitHubError. `limited` is for how many seconds to keep still where GitHub refuses by a rate
    limit and does not say.
    """

    def __init__(self, connect: Callable[[], Github | GithubIntegration], *, limited: float) -> None:
        self._connect = connect
        self._connection = connect()
        self._limited = limited
        self._known: Memory[str, tuple[str, Any]] = Memory(REMEMBERED)
        self._one_at_a_time = threading.Lock()
        self._still_until = 0.0

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str, **parameters: object) -> Any:
        """The same as the last time, kept here, where GitHub says that nothing has changed."""
        key = f"{path}?{urlencode(parameters)}"
        old, known = self._known.get(key) or ("", None)
        etag, data = self.changed(path, old, **parameters)
        if data is None and known is not None:
            return known
        if etag and data is not None:
            self._known.put(key, (etag, data))
        return data

    def get_once(self, path: str) -> Any:
        """What never changes, or is kept elsewhere."""
        return self._call("GET", path)[1]

    def changed(self, path: str, etag: str, **parameters: object) -> tuple[str, Any]:
        """(the new etag, the answer); None for the answer where it is still that of the etag."""
        headers = {"If-None-Match": etag} if etag else None
        answered, data = self._call("GET", path, parameters=parameters, headers=headers)
        return str(answered.get("etag", "")) or etag, data

    def all(self, path: str, *, key: str | None = None, **parameters: object) -> Iterator[Json]:
        """Every entry of a list: a request for each hundred."""
        for page in itertools.count(1):
            data = self.get(path, **parameters, per_page=PER_PAGE, page=page)
            entries = data[key] if key else data
            yield from entries
            if len(entries) < PER_PAGE:
                return

    def post(self, path: str, **fields: object) -> Json:
        answer: Json = self._call("POST", path, fields=fields)[1] or {}
        return answer

    def patch(self, path: str, **fields: object) -> None:
        self._call("PATCH", path, fields=fields)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def graphql(self, query: str, **variables: object) -> Json:
        return self._retried(lambda: dict(self._connection.requester.graphql_query(query, variables)[1]["data"]))

    def location(self, path: str) -> str:
        """Where GitHub redirects to."""
        place = self._call("GET", path)[0].get("location")
        if not place:
            raise Unavailable(f"GitHub did not say where {path} is.")
        return urljoin(self._connection.requester.base_url, str(place))

    def _call(
        self,
        verb: str,
        path: str,
        *,
        parameters: Json | None = None,
        headers: dict[str, str] | None = None,
        fields: Json | None = None,
    ) -> tuple[Mapping[str, Any], Any]:
        return self._retried(
            lambda: self._connection.requester.requestJsonAndCheck(verb, path, parameters, headers, fields)
        )

    def _retried(self, ask: Callable[[], T]) -> T:
        """Once more with a new token where the old one was revoked, and after a limit that passes soon."""
        for _ in range(LIMITS_IN_A_ROW):
            self._keep_still()
            try:
                with translated(self._limited):
                    return self._with_a_token(ask)
            except Unavailable as error:
                if not error.seconds:
                    raise
                self._still_until = time.monotonic() + error.seconds
        raise Unavailable("GitHub's rate limit is used up again and again.", seconds=self._limited)

    def _with_a_token(self, ask: Callable[[], T]) -> T:
        connection = self._connection
        try:
            return ask()
        except BadCredentialsException:
            with self._one_at_a_time:
                if self._connection is connection:
                    self._connection = self._connect()
        return ask()

    def _keep_still(self) -> None:
        """A limit holds for everything that is asked in this name. A long one is waited for elsewhere."""
        left = self._still_until - time.monotonic()
        if left > SOON:
            raise Unavailable("GitHub's rate limit is used up.", seconds=left)
        time.sleep(max(0.0, left))


class Wires:
    """The app's own wire, and one for each installation."""

    def __init__(self, *, api_url: str, app_id: str, private_key: str, pace: bool, limited: float) -> None:
        pacing = {} if pace else {"seconds_between_requests": None, "seconds_between_writes": None}
        auth = Auth.AppAuth(app_id, private_key)
        self._integration = GithubIntegration(auth=auth, base_url=api_url, retry=_RETRY_READS, lazy=True, **pacing)  # type: ignore[arg-type]
        self._limited = limited
        self.app = Wire(lambda: self._integration, limited=limited)
        self._installations: dict[int, Wire] = {}
        self._one_at_a_time = threading.Lock()

    def installation(self, number: int) -> Wire:
        with self._one_at_a_time:
            if number not in self._installations:
                self._installations[number] = Wire(
                    lambda: self._integration.get_github_for_installation(number), limited=self._limited
                )
            return self._installations[number]

    def close(self) -> None:
        self._integration.close()
        for wire in self._installations.values():
            wire.close()


@contextmanager
def translated(limited: float) -> Iterator[None]:
    """PyGithub's and the network's exceptions as ours."""
    try:
        yield
    except GithubException as error:
        raise _error(error, limited) from error
    except requests.exceptions.RequestException as error:
        raise Unavailable(f"GitHub could not be reached: {error}") from error


_KINDS: Mapping[int, type[GitHubError]] = {
    401: Refused,
    403: Refused,
    404: NotFound,
    409: Moved,
    410: NotFound,
    422: Refused,
}


def _error(error: GithubException, limited: float) -> GitHubError:
    wait = _seconds(error)
    if isinstance(error, RateLimitExceededException) or error.status == 429 or (error.status == 403 and wait):
        return Unavailable(f"GitHub's rate limit is used up: {_message(error)}", seconds=wait or limited)
    kind = _KINDS.get(error.status, Unavailable)
    return kind(f"GitHub answered {error.status}: {_message(error)}")


def _seconds(error: GithubException) -> float:
    """How long GitHub asks to keep still; 0 where it does not say."""
    told = str((error.headers or {}).get("retry-after", ""))
    return float(told) if told.isdecimal() else 0.0


def _message(error: GithubException) -> str:
    data = error.data
    if not isinstance(data, dict):
        return str(data)[:300]
    details = [detail.get("message", "") for detail in data.get("errors", []) if isinstance(detail, dict)]
    return "; ".join(part for part in [str(data.get("message", "")), *details] if part)[:300]
