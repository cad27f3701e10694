"""What may be varied: the settings of the family's script, their ladders, and what is known of them beforehand.

`known` are bits per byte with this one setting changed `upon` some version, from one training each when the family was
tuned. The machine was busy, so they are estimates for 20 seconds of two idle cores: the trainings ran on one thread
until 1.55 × 18.3 s of CPU time were used. They give an order to try things in, and are no result of any experiment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.models.baseline.script import same

TUNED_SECONDS = 20
NOISE = 0.036  # bits per byte by which two seeds with the same settings differed then
START = 2.145  # bits per byte of the first version
_WITH_NGRAMS = "the first version with `NGRAMS` (2, 3, 4)"
_WITH_ONE_BLOCK = "the first version with `NGRAMS` (2, 3, 4), `DEPTH` 1"
_FAR = 4  # times the budget at which the family was tuned: beyond, what is known of sizes says nothing


@dataclass(frozen=True)
class Knob:
    """`values` go from small to large when `ordered`. `stride` is how many rungs a first step takes.

    `sized` is a setting that costs time per step, so that what is best depends on the budget. `needs` are settings
    without which this one does nothing: their value, or "" for any but `()`. A `detail` is tried after the rest.
    """

    name: str
    values: tuple[str, ...]
    what: str
    why: str
    said: tuple[str, ...] = ()
    ordered: bool = True
    stride: int = 1
    sized: bool = False
    detail: bool = False
    needs: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, float] = field(default_factory=dict)
    upon: str = "the first version"

    def applies(self, settings: Mapping[str, str]) -> bool:
        for name, value in self.needs.items():
            present = settings.get(name)
            if present is not None and same(present, value or "()") is not bool(value):
                return False
        return True


KNOBS = (
    Knob(
        "NGRAMS",
        ("()", "(2,)", "(2, 3)", "(2, 3, 4)", "(2, 3, 4, 5)", "(2, 3, 4, 5, 6)"),
        "orders of the hashed n-gram embeddings that are added to the input",
        "a table look-up costs little per step, and what it knows need not be learnt by the layers above",
        said=("n-gram embedding", "ngram embedding", "n-gram order", "n-gram table"),
        stride=2,
        sized=True,
        known={"()": 2.145, "(2, 3)": 1.895, "(2, 3, 4)": 1.884, "(2, 3, 4, 5)": 1.906},
    ),
    Knob(
        "LEARNING_RATE",
        ("3e-4", "6e-4", "1e-3", "1.7e-3", "2.5e-3", "3.5e-3", "5e-3", "7e-3", "1e-2", "1.5e-2", "2e-2", "3e-2"),
        "learning rate at the top of the schedule",
        "in a few hundred steps a small model can take a large learning rate",
        said=("learning rate",),
        stride=2,
        known={"2.5e-3": 1.900, "5e-3": 1.884, "1e-2": 1.902},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "BATCH",
        ("1", "2", "4", "8", "16", "32", "64", "128"),
        "sequences per step",
        "a smaller batch gives more steps in the same time, a larger one gives less noisy ones",
        said=("batch size", "batch"),
        sized=True,
        known={"8": 1.884, "16": 1.879},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "MIXER",
        ('"conv"', '"gru"', '"attention"'),
        "how a position sees the ones before it",
        "the mixers differ in what they cost per step and in how far back they see",
        said=("mixer", "attention", "gru"),
        ordered=False,
        sized=True,
        known={'"conv"': 2.145, '"gru"': 2.394, '"attention"': 2.836},
    ),
    Knob(
        "WIDTH",
        ("16", "32", "48", "64", "96", "128", "192", "256"),
        "size of the residual stream",
        "more parameters learn more from each byte, but fewer bytes are seen in the same time",
        said=("width", "wider"),
        sized=True,
        known={"64": 2.145, "96": 2.261},
    ),
    Knob(
        "DEPTH",
        ("1", "2", "3", "4", "6", "8"),
        "number of blocks",
        "more blocks see further and cost more per step",
        said=("depth", "deeper", "number of blocks", "number of layers"),
        sized=True,
        known={"1": 1.871, "2": 1.884},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "CONTEXT",
        ("32", "64", "128", "256", "512"),
        "bytes per training sequence",
        "a longer sequence shows more of the file, and takes a larger part of the budget",
        said=("context", "sequence length"),
        sized=True,
        known={"128": 2.145, "256": 2.165},
    ),
    Knob(
        "KERNEL",
        ("2", "3", "4", "6", "8", "12", "16"),
        "positions that a convolution sees",
        "a wider kernel sees more bytes per block and costs more per step",
        said=("kernel",),
        sized=True,
        needs={"MIXER": '"conv"'},
        detail=True,
        known={"4": 1.884, "8": 1.907},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "TABLE",
        ("4096", "8192", "16384", "32768", "65536"),
        "rows of each n-gram table",
        "with more rows fewer n-grams share one, and the optimizer has more to update per step",
        said=("table size",),
        sized=True,
        needs={"NGRAMS": ""},
        detail=True,
        known={"8192": 1.908, "16384": 1.884, "32768": 1.974},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "DECAY",
        ('"cosine"', '"linear"', '"none"'),
        "how the learning rate falls",
        "how the learning rate ends decides what the last steps are worth",
        said=("schedule", "decay of the learning rate"),
        ordered=False,
        detail=True,
        known={'"cosine"': 1.884, '"linear"': 1.879},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "ACTIVATION",
        ('"gelu"', '"relu2"', '"silu"', '"relu"'),
        "activation of the MLP",
        "a squared ReLU often learns faster than GELU in short trainings",
        said=("activation",),
        ordered=False,
        sized=True,
        detail=True,
        known={'"gelu"': 1.855, '"relu2"': 1.852},
        upon=_WITH_ONE_BLOCK + ' and `DECAY` "linear"',
    ),
    Knob(
        "EXPANSION",
        ("1", "2", "3", "4", "6", "8"),
        "hidden size of the MLP, in widths",
        "most of the parameters of a block, and of the time of a step, are in its MLP",
        said=("mlp",),
        sized=True,
        detail=True,
        known={"2": 1.874, "4": 1.884},
        upon=_WITH_NGRAMS,
    ),
    Knob(
        "BETA2",
        ("0.95", "0.98", "0.99", "0.995", "0.999"),
        "memory of AdamW's second moment",
        "over a few hundred steps a long memory never settles",
        said=("beta2", "second moment"),
        stride=2,
        detail=True,
        known={"0.95": 1.893, "0.99": 1.879},
        upon=_WITH_NGRAMS,
    ),
)
TASKS = (
    "Give the model embeddings of the n-grams before each position, then of larger orders (`NGRAMS`)",
    "Find the learning rate for so short a training (`LEARNING_RATE`)",
    "Trade the size of a step against the number of steps (`BATCH`)",
    "Compare convolution, GRU and attention (`MIXER`)",
    "Find width and depth of the model for this budget (`WIDTH`, `DEPTH`)",
    "Vary how far the model sees (`CONTEXT`, `KERNEL`)",
    "Vary the size of the n-gram tables (`TABLE`)",
    "Vary the MLP and its activation (`EXPANSION`, `ACTIVATION`)",
    "Tune schedule and optimizer (`DECAY`, `BETA2`)",
)
BY_NAME = {knob.name: knob for knob in KNOBS}


def explains(knob: Knob, old: str, new: str, *, faster: bool) -> bool:
    """Whether this change can have made the steps of a training cheaper (`faster`) or dearer."""
    places = [next((i for i, rung in enumerate(knob.values) if same(rung, value)), -1) for value in (old, new)]
    if not knob.sized or not knob.ordered or -1 in places:
        return knob.sized
    return (places[1] < places[0]) == faster


def hope(knob: Knob, old: str, new: str, *, seconds: float) -> float | None:
    """What this step gained, or lost, when the family was tuned, one setting at a time; None when that is not known."""
    if knob.sized and seconds > _FAR * TUNED_SECONDS:
        return None
    before, then = (next((bpb for value, bpb in knob.known.items() if same(value, text)), None) for text in (old, new))
    return None if before is None or then is None else before - then
