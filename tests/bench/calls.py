"""What the bot asked of the stand-in, counted; and figures side by side."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bot.local.faults import Call

PAUSE = 0.5
"""So long nothing comes from a bot that is at rest."""

_LOOK = re.compile(r"/repos/([^/]+/[^/]+)/issues/([0-9]+)")


@dataclass(frozen=True)
class Tally:
    """`unchanged` of the reads were answered 304, which costs nothing of GitHub's rate limit. A download is what an
    artifact's redirect leads to: one more request, of the storage and not of the API."""

    reads: int
    unchanged: int
    writes: int
    downloads: int

    @property
    def requests(self) -> int:
        return self.reads + self.writes


def tally(calls: Sequence[Call]) -> Tally:
    reads = [call for call in calls if call.method == "GET"]
    return Tally(
        reads=len(reads),
        unchanged=sum(call.status == 304 for call in reads),
        writes=len(calls) - len(reads),
        downloads=sum(call.status == 302 for call in reads),
    )


def looks(calls: Sequence[Call]) -> set[tuple[str, int]]:
    """The threads (lab, number) that were looked at: a look begins by asking for its issue."""
    asked = (_LOOK.fullmatch(call.path) for call in calls if call.method == "GET")
    return {(match[1], int(match[2])) for match in asked if match}


def rest(calls: Sequence[Call], *, patience: float = 60.0) -> None:
    """Returns when no call has come for a while."""
    end = time.monotonic() + patience
    seen = -1
    while len(calls) != seen:
        assert time.monotonic() < end, f"The bot does not come to rest; its last request: {calls[-1]}"
        seen = len(calls)
        time.sleep(PAUSE)


def show(call: Call) -> str:
    return f"{call.method:6} {call.status} {call.path}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The first column is of words, the others of numbers."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
