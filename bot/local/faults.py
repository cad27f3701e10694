"""How hard the stand-in is: everything that GitHub does to an app now and then, each behind a switch, all off at first.

    github.faults.lag = 2.0                 switches can be changed at any time
    github.faults.cut_after = 0.05
    github.faults.before = hook             told of each call of an app, and may do whatever it likes meanwhile
    print(github.faults)                    Faults(seed=7, lag=2.0, cut_after=0.05): enough to have it all again

They strike only what apps ask for, never persons and never the pages. What happens to the n-th call, and to the n-th
delivery, follows from the seed and n alone, for each switch apart: one more switch leaves the others as they were.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from random import Random

LIMITED = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID 0C0E:2A5D:1B3:2C7:6923."
)
ABOUT_LIMITS = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True)
class Call:
    """One request of an app. `status` is what it was answered: 0 until then, and for good if the line was cut."""

    number: int
    method: str
    path: str
    """Without /api/v3, with the query."""
    app: str
    """Its slug."""
    status: int = 0


class Cut(Exception):  # noqa: N818 (an order, not an error)
    """Raised by a hook: the connection is closed, there is no answer."""


class Answer(Exception):  # noqa: N818
    """Raised by a hook: this is what is answered instead. A mapping becomes JSON."""

    def __init__(
        self, status: int, body: str | Mapping[str, object] = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status)
        kind = "text/html" if isinstance(body, str) else "application/json; charset=utf-8"
        self.status = status
        self.body = body if isinstance(body, str) else json.dumps(body)
        self.headers = {"Content-Type": kind, **(headers or {})}


Hook = Callable[[Call], None]


@dataclass(frozen=True)
class Fate:
    """What befalls one delivery on its way."""

    lost: bool = False
    delay: float = 0.0
    overtaken: bool = False
    """It lets the next one go first."""
    copy_after: float | None = None


def _no_tokens() -> None:
    """Until a stand-in has taken the switches."""


@dataclass(slots=True, repr=False)
class Faults:
    """A share is between 0 and 1; times are in seconds."""

    seed: int = 0

    # Answers
    lag: float = 0.0
    """What an app reads in lists is so old, up to a quarter more."""
    mergeable_after: float = 0.0
    """How long `mergeable` is null after head or base of a pull request moved."""
    artifact_life: float | None = None
    token_life: float | None = None

    # Calls
    limited: float = 0.0
    """Share refused with 403 or 429 for a secondary rate limit."""
    broken_before: float = 0.0
    """Share answered 500 or 502 with nothing done; `broken_after`: with everything done."""
    broken_after: float = 0.0
    cut_before: float = 0.0
    """Share whose connection closes without an answer, with nothing done; `cut_after`: with everything done."""
    cut_after: float = 0.0

    # Deliveries
    late: float = 0.0
    """Share that comes up to `late_by` later, overtaken by others."""
    late_by: float = 1.0
    twice: float = 0.0
    """Share of which a copy follows within `late_by`."""
    shuffled: float = 0.0
    """Share that comes after the next one, or after `late_by` if none comes."""
    never: float = 0.0

    # For tests
    before: Hook | None = None
    """Called in a thread of its own when a call has come in and nothing has happened yet. May raise Cut or Answer."""
    after: Hook | None = None
    """Likewise when everything has happened and nothing is answered yet; the call has the status to be answered."""
    record: bool = False
    calls: list[Call] = field(default_factory=list)
    """While `record` is on: every call of an app, in the order of their answers."""
    revoke_tokens: Callable[[], None] = _no_tokens
    """From now on all installation tokens that there are answer 401."""

    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def __repr__(self) -> str:
        """What is not as at first; hooks and what was recorded left out."""
        left_out = ("calls", "revoke_tokens", "before", "after", "record")
        shown = [
            f"{one.name}={value!r}"
            for one in fields(self)
            if not one.name.startswith("_")
            and one.name not in left_out
            and ((value := getattr(self, one.name)) != one.default or one.name == "seed")
        ]
        return f"Faults({', '.join(shown)})"

    # The way of one call

    def call(self, method: str, path: str, app: str) -> Call:
        with self._lock:
            self._count += 1
            return Call(self._count, method, path, app)

    def strike_before(self, call: Call) -> None:
        """Raises Cut or Answer if nothing is to happen."""
        if hook := self.before:
            hook(call)
        if self._hit("limited", call.number):
            raise self._limit(call)
        if self._hit("broken_before", call.number):
            raise self._breakdown(call)
        if self._hit("cut_before", call.number):
            raise Cut

    def strike_after(self, call: Call) -> None:
        """Raises Cut or Answer if the answer is not to arrive."""
        if hook := self.after:
            hook(call)
        if self._hit("broken_after", call.number):
            raise self._breakdown(call)
        if self._hit("cut_after", call.number):
            raise Cut

    def note(self, call: Call, status: int) -> None:
        if self.record:
            self.calls.append(replace(call, status=status))

    def _limit(self, call: Call) -> Answer:
        draw = self._random("limit", call.number)
        status = draw.choice((403, 429))
        body = {"message": LIMITED, "documentation_url": ABOUT_LIMITS, "status": str(status)}
        return Answer(status, body, {"Retry-After": "1"} if draw.random() < 0.5 else {})

    def _breakdown(self, call: Call) -> Answer:
        if self._random("breakdown", call.number).random() < 0.5:
            return Answer(502, BAD_GATEWAY)
        return Answer(500, {"message": "Server Error"})

    # The way of one delivery

    def delivery(self, number: int) -> Fate:
        draw = self._random("delivery", number)
        delay, gap = draw.random() * self.late_by, draw.random() * self.late_by
        return Fate(
            lost=self._hit("never", number),
            delay=delay if self._hit("late", number) else 0.0,
            overtaken=self._hit("shuffled", number),
            copy_after=gap if self._hit("twice", number) else None,
        )

    # Chance

    def _hit(self, switch: str, number: int) -> bool:
        share: float = getattr(self, switch)
        return share > 0 and self._random(switch, number).random() < share

    def _random(self, what: str, number: int) -> Random:
        return Random(f"{self.seed} {what} {number}")
