"""The loop and the sweep: load, decide, perform, again, until there is nothing to do but wait.

One `Lab` is all that is needed for one repository. The controller is what the queue calls, and the one place where
errors are caught broadly: what cannot go on is said on the issue and pauses the experiment.
"""

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot import comments
from bot.asking import Asker
from bot.desired import missing
from bot.errors import (
    Declined,
    DocumentError,
    LabConfigError,
    Lagging,
    LedgerError,
    ModelError,
    NotFound,
    ReplyError,
    SettingsError,
    TrainwrightError,
)
from bot.events import Event, experiment_of
from bot.experiment import (
    A_RUNNER,
    AGAIN,
    EXPERIMENT,
    LAG,
    PAUSED,
    Action,
    Cancel,
    Experiment,
    Pause,
    Wait,
    decide,
)  # fmt: skip
from bot.gateway import App
from bot.ledger import Ledger
from bot.load import Loader
from bot.pieces import STATUS, Note
from bot.queue import Key, Queue
from bot.sanitise import safe
from bot.steps import Hands, perform, post
from bot.watch import Watch, look_around

log = logging.getLogger(__name__)

LABELS = {
    EXPERIMENT: "An idea for Trainwright to work on",
    PAUSED: "Trainwright waits: take this label off to go on",
}
FULL_LOOK_EVERY = timedelta(days=1)
SIDE_BY_SIDE = 8
"""Labs that are swept at the same time."""
MAX_STEPS = 40
"""More steps than any way through an experiment has between two waits: a loop that does not end is an error."""
MODEL_PAUSE = 2.0
"""Seconds until a model that gave no reply is asked again; twice as long each time."""
LEDGER_PAUSE = timedelta(seconds=10)
SAID_AFTER = 2
"""A model that fails so often in a row is said to."""


@dataclass(frozen=True)
class Lab:
    loader: Loader
    hands: Hands


class Controller:
    """`lag` is for how long GitHub's lists may be behind, `settle` how many seconds after an event to look."""

    def __init__(
        self,
        app: App,
        ledger: Ledger,
        asker: Asker,
        *,
        default_model: str,
        workers: int = 4,
        lag: timedelta = LAG,
        settle: float = 0.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._asker = asker
        self._default_model = default_model
        self._lag = lag
        self._settle = settle
        self._clock = clock
        self._labs: dict[str, Lab] = {}
        self._watches: dict[str, Watch] = {}
        self._looked_at_all: dict[str, datetime] = {}
        self._news: Counter[Key] = Counter()
        self._unstarted: set[Key] = set()
        self._failures: Counter[Key] = Counter()
        self.queue = Queue(self.look, give_up=self._give_up, workers=workers)

    # What happened

    def notice(self, event: Event) -> None:
        """A webhook says that something happened somewhere. Only where matters."""
        number = event.experiment or event.thread
        if number is None:
            return
        key = Key(event.lab, number)
        if self._is_our_own_doing(event, key):
            return
        self._news[key] += 1
        self.queue.add(key, after=self._settle)

    def _is_our_own_doing(self, event: Event, key: Key) -> bool:
        """What the bot did itself it knows. That a training of ours begins matters only where it was missed."""
        if not event.sender or event.sender != self._app.login:
            return False
        if event.kind == "workflow_run":
            return event.action != "completed" and key not in self._unstarted
        return True

    def sweep(self) -> None:
        """Look where something happened since each lab's last sweep; at first and daily, at every open experiment."""
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="sweep") as labs:
            for _ in labs.map(self._sweep, self._app.labs()):
                pass

    def _sweep(self, name: str) -> None:
        try:
            numbers = self._changed(name, self._clock())
        except TrainwrightError as error:
            log.warning("%s: the sweep failed: %s", name, error)
            return
        for number in numbers:
            self._news[Key(name, number)] += 1
            self.queue.add(Key(name, number))

    def _changed(self, name: str, now: datetime) -> set[int]:
        """At the start and once a day all that is open; at the start what happened in the last day as well, for an
        experiment may have been stopped while nobody looked."""
        gateway = self._lab(name).hands.gateway
        news, watch = look_around(gateway, self._watches.get(name) or Watch(now - FULL_LOOK_EVERY))
        numbers = {*news.experiments, *news.threads}
        full = self._looked_at_all.get(name)
        if full is None or now - full > FULL_LOOK_EVERY:
            gateway.create_labels(LABELS)
            numbers.update(gateway.open_experiments())
            self._looked_at_all[name] = now
        elif news.everywhere:
            numbers.update(gateway.open_experiments())
        self._watches[name] = watch
        return numbers

    # Looking

    def look(self, key: Key) -> float | None:
        """Take an experiment as far as it goes now; the seconds after which to look again, or None until an event.

        What a step leads to is known without asking GitHub; asked is again when there is news of the experiment.
        """
        lab = self._lab(key.lab)
        x, known = None, -1
        try:
            for _ in range(MAX_STEPS):
                if x is None or self._news[key] != known:
                    known = self._news[key]
                    x = self._load_or_look_behind(lab, key)
                if x is None:
                    return None
                x, wait = self._step(lab, x)
                if wait is not None:
                    return self._rest(key, wait)
        except Lagging as lagging:
            return lagging.seconds
        raise RuntimeError(f"{key} made {MAX_STEPS} steps without coming to a wait.")

    def _load_or_look_behind(self, lab: Lab, key: Key) -> Experiment | None:
        """None when the number is a pull request's: its experiment is meant, and looked at next."""
        try:
            return self._load(lab, key.number)
        except NotFound:
            gone = _why_gone(lab, key.number)
            if not gone:  # something else was not found: a workflow run that was deleted, an artifact
                raise
        branch = lab.hands.gateway.branch_of_thread(key.number)
        if branch is None:
            return lab.loader.load_gone(key.number, gone)
        number = experiment_of(branch)
        if number is not None and number != key.number:
            self.queue.add(Key(key.lab, number))
        return None

    def _step(self, lab: Lab, x: Experiment) -> tuple[Experiment | None, Wait | None]:
        """Say what is to be said, then do the next thing: the experiment afterwards, if it is known without asking;
        and the wait, when there is nothing else to do."""
        step = decide(x, self._clock())
        if not isinstance(step, Cancel):  # a machine at work for nothing goes before words
            x = self._say(lab, x, step)
        if isinstance(step, Wait):
            return x, step
        try:
            x_after = perform(lab.hands, x, step)
        except (Declined, ReplyError) as error:
            log.info("%s#%d is stuck: %s", x.lab, x.number, error)
            return self._pause(lab, x.number, comments.stuck(error)), None
        except ModelError as error:
            return x, self._wait_for_model(lab, x, error)
        except (DocumentError, LabConfigError, SettingsError) as error:
            return x, self._wait_for_cause(lab, x, Wait("a maintainer", comments.blocked(error)), AGAIN)
        except LedgerError as error:
            return x, self._wait_for_cause(lab, x, Wait("the operator", safe(str(error))), LEDGER_PAUSE)
        self._failures.pop(Key(x.lab, x.number), None)
        return x_after and replace(x_after, dollars=self._dollars(x_after.lab, x_after.number)), None

    def _say(self, lab: Lab, x: Experiment, step: Action) -> Experiment:
        for piece in missing(x, step):
            x = post(lab.hands, x, piece)
        return x

    def _wait_for_model(self, lab: Lab, x: Experiment, error: ModelError) -> Wait:
        """Said from the second failure on; the experiment goes on by itself when there is an answer."""
        key = Key(x.lab, x.number)
        self._failures[key] += 1
        pause = min(AGAIN, timedelta(seconds=MODEL_PAUSE * 2.0 ** (self._failures[key] - 1)))
        log.warning("%s: the model gave no reply (%d): %s", key, self._failures[key], error)
        if self._failures[key] < SAID_AFTER:
            return Wait("the model", "", until=self._clock() + pause)
        return self._wait_for_cause(lab, x, Wait("the model", comments.no_reply(error)), pause)

    def _wait_for_cause(self, lab: Lab, x: Experiment, wait: Wait, pause: timedelta) -> Wait:
        """Something that others mend: the status comment says what, and it is tried again from time to time."""
        wait = replace(wait, until=self._clock() + pause)
        for piece in missing(x, wait):
            if isinstance(piece, Note) and piece.mark == STATUS:
                post(lab.hands, x, piece)
        return wait

    def _pause(self, lab: Lab, number: int, reason: str) -> Experiment | None:
        """With a fresh look: comments may have been posted since the last one."""
        x = self._load(lab, number)
        if x is None or PAUSED in x.labels:
            return x
        x = post(lab.hands, x, comments.status_note(x, Pause(reason)))
        return perform(lab.hands, x, Pause(reason))

    def _give_up(self, key: Key, error: Exception) -> None:
        """Every try failed. Say so on the issue, as far as GitHub lets us."""
        self._pause(self._lab(key.lab), key.number, comments.stuck(error))

    def _load(self, lab: Lab, number: int) -> Experiment | None:
        return lab.loader.load(number, dollars=self._dollars(lab.hands.gateway.lab, number))

    def _dollars(self, lab: str, number: int) -> float:
        calls = self._ledger.calls(lab, number)
        return float(sum(call.usage.dollars for call in calls if call.usage.dollars is not None))

    def _rest(self, key: Key, wait: Wait) -> float | None:
        """How long until the next look, if it needs no event."""
        if wait.for_whom == A_RUNNER:
            self._unstarted.add(key)
        else:
            self._unstarted.discard(key)
        return max(1.0, (wait.until - self._clock()).total_seconds()) if wait.until else None

    def _lab(self, name: str) -> Lab:
        if name not in self._labs:
            gateway = self._app.gateway(name)
            hands = Hands(gateway, self._ledger, self._asker, self._default_model, self._clock)
            self._labs[name] = Lab(Loader(gateway, lag=self._lag, clock=self._clock), hands)
        return self._labs[name]


def _why_gone(lab: Lab, number: int) -> str:
    """What GitHub says of an issue that is not there; nothing when it is."""
    try:
        lab.hands.gateway.issue(number)
    except NotFound as error:
        return str(error)
    return ""
