"""The search: which setting to change next, judged by the results in the table of runs. Pure.

Every setting that may be varied is a knob with a ladder of values. A run is a trial of one step on one ladder. A step
that gained is followed by the next one; a step that did not bars what lies beyond it, and the other way and the values
between are tried instead. Among all open steps the one that promises most is taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bot.models.baseline.knobs import BY_NAME, KNOBS, NOISE, Knob, hope
from bot.models.baseline.reading import Row
from bot.models.baseline.script import changes, literal, same

PATIENCE = 10  # results in a row without gain, after which the search is over

# What a step is taken to promise, in bits per byte, where no measurement says it.
GOOD_SIGN = 0.011  # it was a gain when the family was tuned, however small
UNKNOWN = 0.01
WITHIN_NOISE = 0.006  # it was no gain when the family was tuned, but chance could have done that
DETAIL = 0.005
FINER = 0.004  # a value between two that have been tried
UNHOPEFUL = 0.001  # it was clearly no gain when the family was tuned
REPEATED_MENDS = 6

_MENDS = {
    "timeout": ("WIDTH", "DEPTH", "BATCH", "CONTEXT"),
    "hung": ("WIDTH", "DEPTH", "BATCH", "CONTEXT"),
    "out-of-memory": ("BATCH", "CONTEXT", "WIDTH", "DEPTH"),
    "diverged": ("LEARNING_RATE",),
}
BREAKING = frozenset(_MENDS)


class Ground(Enum):
    """Why a step is thought to be worth a run."""

    KNOWN = "estimated when this family was tuned"
    FURTHER = "the last step this way gained"
    OTHER_WAY = "the step the other way did not gain"
    BETWEEN = "the step beyond it did not gain"
    NEW = "not tried yet"
    MEND = "the code as it stands gives no result"
    ASKED = "a person asks for it"


@dataclass(frozen=True)
class Move:
    """One step. `promise` is in bits per byte; `run` is the run that it builds upon, as far as there is one."""

    name: str
    old: str
    new: str
    ground: Ground
    promise: float
    run: str = ""


@dataclass(frozen=True)
class Trial:
    """What became of one step. `gain` is None when the run gave no value to compare."""

    run: str
    name: str
    old: str
    new: str
    verdict: str
    status: str
    gain: float | None
    kept: bool


@dataclass(frozen=True)
class State:
    """Where the search stands: the settings that the next run starts from, and what has been tried.

    `broken` is how the code with these settings failed, when it never gave a result. `open` are the knobs that
    TASKS.md leaves open; None when it says nothing of any.
    """

    settings: Mapping[str, str]
    trials: tuple[Trial, ...] = ()
    broken: str = ""
    open: frozenset[str] | None = None
    seconds: float = 20.0


def trials(rows: Sequence[Row]) -> tuple[Trial, ...]:
    """The runs that changed one setting: of a run that changed several, nobody knows which one it was."""
    found = []
    for row in rows:
        steps = changes(row.change)
        if len({step.name for step in steps}) == 1:
            step, gain = steps[0], None if row.delta is None else -row.delta
            kept = not row.discarded and not row.failed
            found.append(Trial(row.run, step.name, step.old, step.new, row.verdict, row.status, gain, kept))
    return tuple(found)


def state_of(rows: Sequence[Row], settings: Mapping[str, str] | None, default: Mapping[str, str]) -> State:
    """`settings` are those of the code on main; None when there is none yet."""
    steps = trials(rows)
    if settings is not None:
        on_main = [row for row in rows if not row.discarded]
        broken = on_main[-1].status or "failed" if on_main and on_main[-1].failed else ""
        return State(settings, steps, broken)
    if not rows or any(row.value is not None for row in rows) or not rows[-1].failed:
        return State(default, steps)
    mended = dict(default)
    for row in rows:
        mended |= {change.name: change.new for change in changes(row.change)}
    return State(mended, steps, rows[-1].status or "failed")


def kept_settings(rows: Sequence[Row], default: Mapping[str, str]) -> dict[str, str]:
    """The settings of the code on main, where it is not shown: the default, and every change that was kept."""
    settings = dict(default)
    for row in rows:
        if not row.discarded:
            settings |= {change.name: change.new for change in changes(row.change)}
    return settings


def after(state: State, trial: Trial) -> State:
    """The search once this run is merged, when it improved, or closed, when it did not."""
    settings = dict(state.settings)
    if trial.verdict == "improved":
        settings[trial.name] = trial.new
    broken = state.broken if trial.verdict == "failed" else ""
    return State(settings, (*state.trials, trial), broken, state.open, state.seconds)


def options(state: State) -> list[Move]:
    """All open moves, the most promising first; of equals the one that comes first among the knobs."""
    if state.broken:
        return list(_mends(state))
    found = [_wary(move, state) for knob in KNOBS for move in _of(knob, state)]
    return sorted(found, key=lambda move: -move.promise)


def best(state: State) -> Move | None:
    return next(iter(options(state)), None)


def _wary(move: Move, state: State) -> Move:
    """Once a run was too slow or too large, what would make a step cost more comes later."""
    knob = BY_NAME[move.name]
    ladder = _ladder(knob, move.old)
    costlier = knob.sized and _index(ladder, move.new) > _index(ladder, move.old)
    too_much = any(trial.status in ("timeout", "hung", "out-of-memory") for trial in state.trials)
    return replace(move, promise=move.promise / 4) if costlier and too_much else move


def exhausted(rows: Sequence[Row]) -> bool:
    """Whether the last results, `PATIENCE` of them, were all without gain."""
    results = [row.verdict for row in rows if row.verdict != "no result"]
    return len(results) > PATIENCE and "improved" not in results[-PATIENCE:]


def _mends(state: State) -> Iterator[Move]:
    """One step down on the first ladder that has one left: cheaper after a time-out, gentler after a divergence."""
    failures = [trial for trial in state.trials if trial.verdict == "failed"]
    if len(failures) >= REPEATED_MENDS and all(trial.verdict == "failed" for trial in state.trials):
        return
    for name in _MENDS.get(state.broken, ()):
        if name not in state.settings or name not in BY_NAME:
            continue
        ladder = _ladder(BY_NAME[name], state.settings[name])
        below = ladder[: _index(ladder, state.settings[name])]
        free = [value for value in below if not _tried(state, name, value)]
        if free:
            new = free[-min(BY_NAME[name].stride, len(free))]
            yield Move(name, state.settings[name], new, Ground.MEND, 0.0)


def _of(knob: Knob, state: State) -> Iterator[Move]:
    """The open moves on one knob: of an ordered one at most one each way."""
    old = state.settings.get(knob.name)
    closed = state.open is not None and knob.name not in state.open
    if old is None or closed or not knob.applies(state.settings):
        return
    if knob.ordered:
        ladder = _ladder(knob, old)
        here = _index(ladder, old)
        for beyond in (ladder[here + 1 :], ladder[:here][::-1]):
            yield from _step(knob, state, old, beyond)
        return
    for value in knob.values:
        if not same(value, old) and not _tried(state, knob.name, value):
            yield _move(knob, state, old, value, Ground.NEW)


def _step(knob: Knob, state: State, old: str, beyond: Sequence[str]) -> Iterator[Move]:
    """The next step one way, short of the first value that was tried without gain."""
    tried = next((index for index, value in enumerate(beyond) if _tried(state, knob.name, value)), len(beyond))
    free = beyond[:tried]
    if not free:
        return
    if tried == len(beyond):
        yield _move(knob, state, old, _stride(knob, state, old, free), _ground(state, knob.name, old))
        return
    barrier = hope(knob, old, beyond[tried], seconds=state.seconds) or 0.0
    new = free[len(free) // 2]
    hoped = hope(knob, old, new, seconds=state.seconds)
    finer = FINER if hoped is None or hoped > -NOISE else UNHOPEFUL
    yield Move(knob.name, old, new, Ground.BETWEEN, max(finer, barrier / 4))


def _stride(knob: Knob, state: State, old: str, free: Sequence[str]) -> str:
    """Of the values one way, the best of those that were known when the family was tuned; else some rungs away."""
    hopes = [(hoped, value) for value in free if (hoped := hope(knob, old, value, seconds=state.seconds)) is not None]
    return max(hopes)[1] if hopes else free[min(knob.stride, len(free)) - 1]


def _ground(state: State, name: str, old: str) -> Ground:
    last = next((trial for trial in reversed(state.trials) if trial.name == name), None)
    if last is None:
        return Ground.NEW
    return Ground.FURTHER if same(last.new, old) and last.verdict == "improved" else Ground.OTHER_WAY


def _move(knob: Knob, state: State, old: str, new: str, ground: Ground) -> Move:
    """The promise is what was known beforehand, or half of what the last step gained, or next to nothing."""
    hoped = hope(knob, old, new, seconds=state.seconds)
    if hoped is not None:
        known = Ground.KNOWN if ground is Ground.NEW else ground
        least = GOOD_SIGN if hoped > 0 else WITHIN_NOISE if hoped > -NOISE else UNHOPEFUL
        return Move(knob.name, old, new, known, max(hoped, least))
    gained = next((t for t in reversed(state.trials) if t.name == knob.name and same(t.new, old)), None)
    if ground is Ground.FURTHER and gained and gained.gain and gained.gain > 0:
        return Move(knob.name, old, new, ground, gained.gain / 2, gained.run)
    return Move(knob.name, old, new, ground, DETAIL if knob.detail else UNKNOWN)


def _tried(state: State, name: str, value: str) -> bool:
    """Whether a run had this value and was not the better for it. What a trial left behind was worse as well."""
    return any(trial.name == name and (same(trial.new, value) or same(trial.old, value)) for trial in state.trials)


def _ladder(knob: Knob, value: str) -> list[str]:
    """The knob's values with the present one among them, whoever chose it."""
    if any(same(rung, value) for rung in knob.values):
        return list(knob.values)
    return sorted([*knob.values, value], key=_size)


def _index(ladder: Sequence[str], value: str) -> int:
    return next((index for index, rung in enumerate(ladder) if same(rung, value)), 0)


def _size(text: str) -> float:
    value = literal(text)
    if isinstance(value, int | float):
        return float(value)
    return float(len(value)) if isinstance(value, tuple) else 0.0
