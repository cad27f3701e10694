"""Which experiments to look at, and when: each by one thread at a time, different ones side by side.

All of it is in memory: what a crash forgets, the sweep at the next start finds on GitHub.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bot.errors import LedgerError, Moved, Unavailable

log = logging.getLogger(__name__)

LASTING = (Unavailable, LedgerError)
"""GitHub out of reach, a full disk: nobody has to be told to go on, only to mend it."""
REPEATS = 5
"""So often in a row a moved ref is looked at again at once; then it counts as a failure."""


class Key(NamedTuple):
    """An experiment: its lab, and the number of its issue."""

    lab: str
    number: int

    def __str__(self) -> str:
        return f"{self.lab}#{self.number}"


def exponential(failures: int) -> float:
    """1, 2, 4, … seconds, at most five minutes."""
    return min(300.0, 2.0 ** min(failures - 1, 9))


class Agenda:
    """When which key is due, and which are being looked at. No thread, no clock."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._looking: set[Key] = set()

    def add(self, key: Key, *, at: float) -> None:
        """The earlier time wins. While the key is being looked at it waits for the end of that look."""
        self._due[key] = min(at, self._due.get(key, math.inf))

    def take(self, now: float) -> Key | None:
        """The key that has been due for longest and that nobody looks at; from now on it is being looked at."""
        key = min(self._free(), key=self._due.__getitem__, default=None)
        if key is None or self._due[key] > now:
            return None
        del self._due[key]
        self._looking.add(key)
        return key

    def done(self, key: Key) -> None:
        self._looking.discard(key)

    def next_due(self) -> float | None:
        return min((self._due[key] for key in self._free()), default=None)

    def busy(self, now: float) -> int:
        """How many keys are due or being looked at. Those for later do not count."""
        return len(self._looking | {key for key, at in self._due.items() if at <= now})

    def _free(self) -> list[Key]:
        return [key for key in self._due if key not in self._looking]


@dataclass
class _Trouble:
    """What went wrong with a key since its last good look; `ours` are the failures that use up patience."""

    moved: int = 0
    failures: int = 0
    ours: int = 0
    until: float = -math.inf


class Queue:
    """`look` returns the seconds after which to look again, or None; what it raises brings the key back later.

    After `patience` failures in a row `give_up` is told, once, and the key is gone until it is added again. What will
    pass by itself (LASTING) is waited for as long as it takes.
    """

    def __init__(
        self,
        look: Callable[[Key], float | None],
        *,
        give_up: Callable[[Key, Exception], None],
        workers: int = 4,
        patience: int = 10,
        backoff: Callable[[int], float] = exponential,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._give_up = give_up
        self._workers = workers
        self._patience = patience
        self._backoff = backoff
        self._clock = clock
        self._agenda = Agenda()
        self._troubles: dict[Key, _Trouble] = {}  # an entry is touched only by the thread that looks at its key
        self._changed = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._threads = [
            threading.Thread(target=self._work, name=f"look-{number}", daemon=True)
            for number in range(1, self._workers + 1)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> bool:
        """Waits for the looks under way; whether they ended in time."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def add(self, key: Key, after: float = 0) -> None:
        with self._changed:
            self._agenda.add(key, at=self._clock() + max(0.0, after))
            self._changed.notify_all()

    def depth(self) -> int:
        """How many keys are due or being looked at."""
        with self._changed:
            return self._agenda.busy(self._clock())

    def quiet(self) -> bool:
        return self.depth() == 0

    def wait_quiet(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._agenda.busy(self._clock()) == 0, timeout)

    def _work(self) -> None:
        while (key := self._next()) is not None:
            again = self._look_at(key)
            with self._changed:
                self._agenda.done(key)
                if again is not None:
                    self._agenda.add(key, at=self._clock() + max(0.0, again))
                self._changed.notify_all()

    def _next(self) -> Key | None:
        """Waits for a key that is due; None when the queue stops."""
        with self._changed:
            while not self._stopping:
                key = self._agenda.take(self._clock())
                if key is not None:
                    return key
                due = self._agenda.next_due()
                # A wait too long for the operating system ends early, and we look once more.
                self._changed.wait(None if due is None else min(3600.0, max(0.0, due - self._clock())))
        return None

    def _look_at(self, key: Key) -> float | None:
        try:
            again = self._look(key)
        except Moved as moved:
            return self._after_move(key, moved)
        except Exception as error:
            return self._after_failure(key, error)
        self._troubles.pop(key, None)
        return again

    def _after_move(self, key: Key, moved: Moved) -> float | None:
        trouble = self._troubles.setdefault(key, _Trouble())
        trouble.moved += 1
        if trouble.moved > REPEATS:
            return self._after_failure(key, moved)
        log.info("%s: %s Looking again.", key, moved)
        return 0.0

    def _after_failure(self, key: Key, error: Exception) -> float | None:
        trouble = self._troubles.setdefault(key, _Trouble())
        now = self._clock()
        # An event may bring the key back early. Such a look must not use up the patience within seconds.
        if now >= trouble.until:
            trouble.failures += 1
            trouble.ours += not isinstance(error, LASTING)
            asked = error.seconds if isinstance(error, Unavailable) else 0.0
            trouble.until = now + max(asked, self._backoff(trouble.failures))
        if trouble.ours < self._patience:
            log.warning("%s: failure %d: %r", key, trouble.failures, error, exc_info=error)
            return trouble.until - now
        log.error("%s: given up after %d failures", key, trouble.failures, exc_info=error)
        del self._troubles[key]
        try:
            self._give_up(key, error)
        except Exception:
            log.exception("%s: giving up failed as well", key)
        return None
