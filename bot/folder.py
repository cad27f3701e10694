"""An experiment's folder at one commit: documents, records, and the inputs that a training depends on."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.records import Record, by_run, from_json

ROOT = "experiments"
IDEA, PLAN, TASKS, LOG, REPORT = "IDEA.md", "PLAN.md", "TASKS.md", "EXPERIMENT_LOG.md", "REPORT.md"
CODE = "train.py"
DOCUMENTS = frozenset({IDEA, PLAN, TASKS, LOG, REPORT})
OURS = ("runs/", "plots/")
FILE = "100644"
"""The mode of a file that is not executable."""


@dataclass(frozen=True)
class Entry:
    mode: str
    sha: str


@dataclass(frozen=True)
class Folder:
    """`entries` are paths relative to the folder; `texts` has the documents, the code and nothing else."""

    commit: str
    path: str
    entries: Mapping[str, Entry] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    records: tuple[Record, ...] = ()

    @property
    def inputs(self) -> str:
        return inputs_of(self.entries)

    @property
    def exists(self) -> bool:
        return bool(self.entries)

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def with_files(self, commit: str, files: Mapping[str, str | bytes | None]) -> "Folder":
        """As it is once these files are written, and those with None taken away: nothing has to be asked to know."""
        entries, texts = dict(self.entries), dict(self.texts)
        records = {record_path(record.run): record for record in self.records}
        for name, content in files.items():
            for known in (entries, texts, records):
                known.pop(name, None)
            if content is None:
                continue
            data = content.encode() if isinstance(content, str) else content
            entries[name] = Entry(FILE, blob_sha(data))
            if is_text(name):
                texts[name] = data.decode(errors="replace")
            elif is_record(name):
                records[name] = from_json(data.decode(), path=name)
        return Folder(commit, self.path, entries, texts, tuple(by_run(records.values())))

    def inputs_with(self, files: Mapping[str, str]) -> str:
        """The inputs that this folder will have once these files are written."""
        changed = {name: Entry(FILE, blob_sha(text.encode())) for name, text in files.items()}
        return inputs_of({**self.entries, **changed})


def inputs_of(entries: Mapping[str, Entry]) -> str:
    """One id for all that a training depends on: the tree without the bot's documents and records."""
    lines = [f"{entry.mode} {entry.sha} {name}" for name, entry in sorted(entries.items()) if is_input(name)]
    return hashlib.sha256("\0".join(lines).encode()).hexdigest()[:40]


def is_input(name: str) -> bool:
    return name not in DOCUMENTS and not name.startswith(OURS)


def blob_sha(content: bytes) -> str:
    """What git calls this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def record_path(run: str) -> str:
    return f"runs/run-{run}.json"


def is_text(name: str) -> bool:
    """Whether the folder keeps its text: the documents and the code."""
    return name in DOCUMENTS or name == CODE


def is_record(name: str) -> bool:
    return name.startswith("runs/") and name.endswith(".json")


def plot_path(run: str) -> str:
    return f"plots/run-{run}.png"


PROGRESS_PLOT = "plots/progress.png"


def folder_name(issue: int, title: str) -> str:
    """`experiments/12-sentence-memory`: found again by its number, whatever the slug becomes."""
    words = re.findall(r"[a-z0-9]+", title.casefold().removeprefix("[experiment]"))
    slug = "-".join(words)[:40].strip("-")
    return f"{ROOT}/{issue}-{slug}" if slug else f"{ROOT}/{issue}"


def is_folder_of(issue: int, name: str) -> bool:
    """Whether this entry of experiments/ belongs to the issue."""
    return re.fullmatch(rf"{issue}(-.*)?", name) is not None


def find_folder(tree: Mapping[str, Entry], commit: str, issue: int, *, title: str) -> Folder:
    """Where the experiment's folder is in a commit's tree and what lies in it, unread.

    Of two, the one that holds more; where there is none, the place where it will be.
    """
    names = Counter(path.split("/")[1] for path in tree if path.startswith(f"{ROOT}/") and path.count("/") > 1)
    found = sorted((name for name in names if is_folder_of(issue, name)), key=lambda name: (-names[name], name))
    path = f"{ROOT}/{found[0]}" if found else folder_name(issue, title)
    entries = {name.removeprefix(f"{path}/"): entry for name, entry in tree.items() if name.startswith(f"{path}/")}
    return Folder(commit, path, entries)
