"""What happened in a lab since the last sweep, by lists that GitHub need not send again when they have not changed.

Issues, comments, pull requests, workflow runs, and where the default branch stands: five conditional requests, free of
the rate limit in a quiet lab. Entries may come into a list late, so each list is asked a little further back than what
was seen last, and what was seen is not told twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.errors import NotFound
from bot.events import experiment_of, parse_request
from bot.folder import ROOT, Entry
from bot.gateway import Gateway
from bot.lab import PATH as CONFIG
from bot.lab import WORKFLOW, WORKFLOW_PATH
from bot.wire import PER_PAGE, Json, stamp

OVERLAP = timedelta(minutes=2)


@dataclass(frozen=True)
class Place:
    """Where a list stood: everything before `since` is known, and so are these entries after it."""

    since: datetime
    etag: str = ""
    seen: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True)
class Watch:
    """What a sweep remembers of a lab. A value: a sweep that fails half-way has forgotten nothing."""

    start: datetime
    places: Mapping[str, Place] = field(default_factory=dict)
    main: str = ""


@dataclass(frozen=True)
class News:
    """Experiments, threads that may belong to one, and whether something changed that concerns them all."""

    experiments: frozenset[int]
    threads: frozenset[int]
    everywhere: bool


def look_around(gateway: Gateway, watch: Watch) -> tuple[News, Watch]:
    """Five requests, and one more for each further page."""
    round_ = _Round(gateway, watch)
    issues = round_.entries("issues", "/issues", state="all", sort="updated", direction="asc", since=True)
    comments = round_.entries("comments", "/issues/comments", sort="updated", direction="asc", since=True)
    pulls = round_.entries("pulls", "/pulls", state="all", sort="updated", direction="desc")
    path = f"/actions/workflows/{WORKFLOW}/runs"
    runs = round_.entries("runs", path, key="workflow_runs", event="workflow_dispatch")
    experiments, everywhere = round_.on_main()
    of_pulls = {entry["number"]: experiment_of(entry["head"]["ref"]) for entry in pulls}
    threads = {entry["number"] for entry in issues if "pull_request" not in entry}
    threads |= {int(entry["issue_url"].rsplit("/", 1)[1]) for entry in comments} - of_pulls.keys()
    experiments |= {number for number in of_pulls.values() if number}
    experiments |= {request.experiment for entry in runs if (request := parse_request(entry["display_title"]))}
    return News(frozenset(experiments), frozenset(threads), everywhere), round_.watch


class _Round:
    """One sweep of one lab. `watch` is what it will be remembered by."""

    def __init__(self, gateway: Gateway, watch: Watch) -> None:
        self._gateway = gateway
        self.watch = watch

    def entries(
        self, name: str, path: str, *, key: str | None = None, since: bool = False, **parameters: object
    ) -> list[Json]:
        """The entries of a list that are new, or were changed. `since`: the list itself can be cut off there."""
        place = self.watch.places.get(name) or Place(self.watch.start)
        if since:
            parameters["since"] = stamp(place.since)
        etag, found = self._pages(path, place, key, parameters)
        if found is None:
            return []
        recent = [entry for entry in found if _time(entry) >= place.since]
        newest = max((_time(entry) for entry in recent), default=place.since)
        moved = max(place.since, newest - OVERLAP)
        seen = frozenset((entry["id"], entry["updated_at"]) for entry in recent)
        kept = etag if not since or moved == place.since else ""  # another address has another etag
        self._remember(name, Place(moved, kept, seen))
        return [entry for entry in recent if (entry["id"], entry["updated_at"]) not in place.seen]

    def _pages(self, path: str, place: Place, key: str | None, parameters: Json) -> tuple[str, list[Json] | None]:
        etag, data = self._gateway.changed(path, place.etag, per_page=PER_PAGE, **parameters)
        if data is None:
            return etag, None
        page = found = list(data[key] if key else data)
        while len(page) == PER_PAGE and _time(page[-1]) >= place.since:
            number = len(found) // PER_PAGE + 1
            _, data = self._gateway.changed(path, "", per_page=PER_PAGE, page=number, **parameters)
            page = list(data[key] if key else data)
            found = [*found, *page]
        return etag, found

    def on_main(self) -> tuple[set[int], bool]:
        """The experiments whose folder has changed on the default branch; and whether a file did that is for all."""
        place = self.watch.places.get("main") or Place(self.watch.start)
        etag, data = self._gateway.changed(f"/git/ref/heads/{self._gateway.main}", place.etag)
        if data is None:
            return set(), False
        before, now = self.watch.main, str(data["object"]["sha"])
        self._remember("main", replace(place, etag=etag))
        self.watch = replace(self.watch, main=now)
        if not before or before == now:
            return set(), False
        try:
            return _changed(self._gateway.tree(before), self._gateway.tree(now))
        except NotFound:  # history was rewritten
            return set(), True

    def _remember(self, name: str, place: Place) -> None:
        self.watch = replace(self.watch, places={**self.watch.places, name: place})


def _changed(before: Mapping[str, Entry], now: Mapping[str, Entry]) -> tuple[set[int], bool]:
    paths = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
    folders = {path.split("/")[1] for path in paths if path.startswith(f"{ROOT}/") and path.count("/") > 1}
    numbers = {folder.partition("-")[0] for folder in folders}
    return {int(number) for number in numbers if number.isdecimal()}, bool(paths & {CONFIG, WORKFLOW_PATH})


def _time(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["updated_at"])
