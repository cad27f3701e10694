"""The loop and the sweep: load, decide, perform, again, until there is nothing to do but wait.

One `Lab` is all that is needed for one repository. The controller is what the queue calls, and the one place where
errors are caught broadly: what cannot go on is said on the issue and pauses the experiment.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot import comments
from bot.asking import Asker
from bot.desired import missing
from bot.errors import (
    Declined,
    DocumentError,
    LabConfigError,
    Lagging,
    NotFound,
    ReplyError,
    SettingsError,
    TrainwrightError,
)
from bot.events import Event, experiment_of
from bot.experiment import EXPERIMENT, PAUSED, Cancel, Experiment, Pause, Wait, decide
from bot.gateway import App
from bot.ledger import Ledger
from bot.load import Loader
from bot.queue import Key, Queue
from bot.steps import Hands, perform, post

log = logging.getLogger(__name__)

LABELS = {
    EXPERIMENT: "An idea for Trainwright to work on",
    PAUSED: "Trainwright waits: take this label off to go on",
}
FULL_LOOK_EVERY = timedelta(days=1)
MAX_STEPS = 40
"""More steps than any way through an experiment has between two waits: a loop that does not end is an error."""
OVERLAP = timedelta(minutes=2)
"""The sweep asks a little further back than its last time: clocks differ, and GitHub's lists lag."""


@dataclass(frozen=True)
class Lab:
    loader: Loader
    hands: Hands


class Controller:
    def __init__(
        self,
        app: App,
        ledger: Ledger,
        asker: Asker,
        *,
        default_model: str,
        workers: int = 4,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._asker = asker
        self._default_model = default_model
        self._clock = clock
        self._labs: dict[str, Lab] = {}
        self._swept: dict[str, datetime] = {}
        self._looked_at_all: dict[str, datetime] = {}
        self.queue = Queue(self.look, give_up=self._give_up, workers=workers)

    # What happened

    def notice(self, event: Event) -> None:
        """A webhook says that something happened somewhere. Only where matters."""
        number = event.experiment or event.thread
        if number is not None:
            self.queue.add(Key(event.lab, number))

    def sweep(self) -> None:
        """Look where something happened since each lab's last sweep; at first and daily, at every open experiment."""
        for name in self._app.labs():
            started = self._clock()
            try:
                numbers = self._changed(name, started)
            except TrainwrightError as error:
                log.warning("%s: the sweep failed: %s", name, error)
                continue
            for number in numbers:
                self.queue.add(Key(name, number))
            self._swept[name] = started

    def _changed(self, name: str, now: datetime) -> set[int]:
        gateway = self._lab(name).hands.gateway
        since, full = self._swept.get(name), self._looked_at_all.get(name)
        if since is None or full is None or now - full > FULL_LOOK_EVERY:
            gateway.create_labels(LABELS)
            self._looked_at_all[name] = now
            return set(gateway.open_experiments())
        experiments, threads = gateway.changed_since(since - OVERLAP)
        return experiments | threads

    # Looking

    def look(self, key: Key) -> float | None:
        """Take an experiment as far as it goes now; the seconds after which to look again, or None until an event."""
        lab = self._lab(key.lab)
        try:
            for _ in range(MAX_STEPS):
                x = self._load_or_look_behind(lab, key)
                if x is None:
                    return None
                wait = self._step(lab, x)
                if wait is not None:
                    return self._seconds(wait)
        except Lagging as lagging:
            return lagging.seconds
        raise RuntimeError(f"{key} made {MAX_STEPS} steps without coming to a wait.")

    def _load_or_look_behind(self, lab: Lab, key: Key) -> Experiment | None:
        """None when the number is a pull request's: its experiment is meant, and looked at next."""
        try:
            return self._load(lab, key.number)
        except NotFound:
            branch = lab.hands.gateway.branch_of_thread(key.number)
        number = experiment_of(branch) if branch else None
        if number is not None and number != key.number:
            self.queue.add(Key(key.lab, number))
        return None

    def _step(self, lab: Lab, x: Experiment) -> Wait | None:
        """Say what is to be said, then do the next thing. The wait, when there is nothing else to do."""
        step = decide(x, self._clock())
        if not isinstance(step, Cancel):  # a machine at work for nothing goes before words
            for piece in missing(x, step):
                post(lab.hands, x, piece)
        if isinstance(step, Wait):
            return step
        try:
            perform(lab.hands, x, step)
        except (Declined, ReplyError, DocumentError, LabConfigError, SettingsError) as error:
            log.info("%s#%d is stuck: %s", x.lab, x.number, error)
            self._pause(lab, x.number, comments.stuck(error))
        return None

    def _pause(self, lab: Lab, number: int, reason: str) -> None:
        """With a fresh look: comments may have been posted since the last one."""
        x = self._load(lab, number)
        if PAUSED not in x.labels:
            post(lab.hands, x, comments.status_note(x, Pause(reason)))
            perform(lab.hands, x, Pause(reason))

    def _give_up(self, key: Key, error: Exception) -> None:
        """Every try failed. Say so on the issue, as far as GitHub lets us."""
        self._pause(self._lab(key.lab), key.number, comments.stuck(error))

    def _load(self, lab: Lab, number: int) -> Experiment:
        calls = self._ledger.calls(lab.hands.gateway.lab, number)
        dollars = sum(call.usage.dollars for call in calls if call.usage.dollars is not None)
        return lab.loader.load(number, dollars=float(dollars))

    def _seconds(self, wait: Wait) -> float | None:
        return max(1.0, (wait.until - self._clock()).total_seconds()) if wait.until else None

    def _lab(self, name: str) -> Lab:
        if name not in self._labs:
            gateway = self._app.gateway(name)
            hands = Hands(gateway, self._ledger, self._asker, self._default_model, self._clock)
            self._labs[name] = Lab(Loader(gateway), hands)
        return self._labs[name]
