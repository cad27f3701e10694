"""Counts the requests that the bot sends, to GitHub and to the model, and kills the bot at one of them."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.local.faults import Call, Cut, Faults


class Place(StrEnum):
    BEFORE = "before"  # just before the request takes effect
    AFTER = "after"  # when it has, and before its answer is read


@dataclass(frozen=True)
class Request:
    """One request of the bot's, the `number`th since the beginning of the story."""

    number: int
    method: str
    path: str

    @property
    def reads(self) -> bool:
        """It changes nothing: to be killed after it is to be killed before it."""
        return self.method == "GET" or self.path.startswith("/graphql")

    def __str__(self) -> str:
        return f"{self.number:3} {self.method} {self.path}"


Choice = Callable[[Request], bool]


def nth(number: int, kind: Choice) -> Choice:
    """The first, second, … request of a kind."""
    seen = itertools.count(1)
    return lambda request: kind(request) and next(seen) == number


def nobody(request: Request) -> bool:
    return False


class Knife:
    """`kill` is called once, at the first request that `choice` picks, by the thread that serves it.

    Both servers tell it of a request twice, and close the connection when it raises Cut.
    """

    def __init__(self, kill: Callable[[], None], *, choice: Choice, place: Place) -> None:
        self._kill = kill
        self._choice = choice
        self._place = place
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.chosen: Request | None = None

    def before(self, method: str, path: str) -> Request:
        with self._lock:
            request = Request(len(self.requests) + 1, method, path)
            self.requests.append(request)
            if self.chosen is None and self._choice(request):
                self.chosen = request
        self._cut(request, Place.BEFORE)
        return request

    def after(self, request: Request) -> None:
        self._cut(request, Place.AFTER)

    def _cut(self, request: Request, place: Place) -> None:
        if request is self.chosen and place is self._place:
            self._kill()
            raise Cut

    def lie_in(self, faults: Faults) -> None:
        """At the stand-in's door. What people send is not counted."""
        counted: dict[int, Request] = {}

        def before(call: Call) -> None:
            if call.app:
                counted[call.number] = self.before(call.method, call.path)

        def after(call: Call) -> None:
            if call.number in counted:
                self.after(counted.pop(call.number))

        faults.before, faults.after = before, after
