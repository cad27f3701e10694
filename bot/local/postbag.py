"""The postbag: which delivery sets out when. Some are late, overtaken, lost or there twice, as the faults want it."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.local.faults import Faults
from bot.local.rows import Delivery


@dataclass(frozen=True, order=True)
class Trip:
    due: float
    turn: int
    delivery: Delivery = field(compare=False)
    is_copy: bool = field(compare=False, default=False)


class Postbag:
    """Without faults, first in is first out. For one thread."""

    def __init__(self, faults: Faults, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._faults = faults
        self._clock = clock
        self._turn = 0
        self._trips: list[Trip] = []
        self._overtaken: list[Trip] = []
        """They wait until one that was put in later has set out, or until they are due."""

    def __contains__(self, delivery: Delivery) -> bool:
        return any(trip.delivery.id == delivery.id for trip in (*self._trips, *self._overtaken))

    def __len__(self) -> int:
        return len(self._trips) + len(self._overtaken)

    def put(self, delivery: Delivery) -> bool:
        """False where it is lost."""
        self._turn += 1
        fate = self._faults.delivery(self._turn)
        if fate.lost:
            return False
        due = self._clock() + fate.delay
        if fate.overtaken:
            self._overtaken.append(Trip(due + self._faults.late_by, self._turn, delivery))
        else:
            heapq.heappush(self._trips, Trip(due, self._turn, delivery))
        if fate.copy_after is not None:
            heapq.heappush(self._trips, Trip(due + fate.copy_after, self._turn, delivery, is_copy=True))
        return True

    def due(self) -> list[Trip]:
        """Takes them out."""
        now = self._clock()
        going: list[Trip] = []
        while self._trips and self._trips[0].due <= now:
            going.append(heapq.heappop(self._trips))
            going += self._let_go(now, before=going[-1].turn)
        return going + self._let_go(now)

    def patience(self) -> float | None:
        """Seconds until one is due; None where there is none."""
        times = [trip.due for trip in (*self._trips[:1], *self._overtaken)]
        return max(0.0, min(times) - self._clock()) if times else None

    def _let_go(self, now: float, *, before: int = 0) -> list[Trip]:
        going = [trip for trip in self._overtaken if trip.turn < before or trip.due <= now]
        self._overtaken = [trip for trip in self._overtaken if trip not in going]
        return going
