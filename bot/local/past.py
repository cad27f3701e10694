"""What lists show while they lag: the store as it was some time ago."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.local.faults import Faults
from bot.local.store import Store

STEP = 0.25
"""The store is kept once in so much of the lag, hence what is shown may be older by as much."""


@dataclass
class Kept:
    """The store as it was at `taken`."""

    taken: float
    store: Store
    readers: int = 0


class Past:
    """Keeps the store as it was before writes and when it was looked at, and only while `lag` is on."""

    def __init__(self, store: Store, faults: Faults, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._faults = faults
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[Kept] = []
        """Oldest first."""
        store.before_write = self._keep

    @contextmanager
    def view(self) -> Iterator[tuple[Store, float]]:
        """The store of `lag` ago, or of when lagging began, and the time of that."""
        found = self._lend()
        try:
            yield (found.store, found.taken) if found else (self._store, math.inf)
        finally:
            if found:
                with self._lock:
                    found.readers -= 1

    def close(self) -> None:
        with self._lock:
            for kept in self._kept:
                kept.store.close()
            self._kept.clear()

    def _lend(self) -> Kept | None:
        with self._store.transaction():
            # Kept by this, if nothing was written for long: now is like then, and others may write while we read.
            pass
        with self._lock:
            found = self._at(self._clock() - self._faults.lag) if self._faults.lag > 0 else None
            if found:
                found.readers += 1
        return found

    def _keep(self) -> None:
        now, lag = self._clock(), self._faults.lag
        with self._lock:
            self._forget(now - lag)
            if lag > 0 and (not self._kept or self._ended(self._kept[-1], now)):
                self._kept.append(Kept(now, self._store.frozen()))

    def _at(self, moment: float) -> Kept | None:
        found = None
        for kept in reversed(self._kept):
            if self._ended(kept, moment):
                break
            found = kept
            if kept.taken <= moment:
                break
        return found

    def _ended(self, kept: Kept, moment: float) -> bool:
        """Whether what was written at that moment is in a later one, if anything was."""
        return kept.taken + self._faults.lag * STEP <= moment

    def _forget(self, moment: float) -> None:
        for kept in [kept for kept in self._kept if self._ended(kept, moment) and not kept.readers]:
            self._kept.remove(kept)
            kept.store.close()
