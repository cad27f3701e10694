"""A run's branch and main, both changed since they parted, file by file. Pure.

Where only one side changed a file, that side has it. Where both did: the run's own code, record and plot are the
branch's, for its result is of them; what people may edit and what other runs left is main's. Both words are then told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.folder import CODE, LOG, OURS, PROGRESS_PLOT, TASKS, Entry, Folder, plot_path, record_path


@dataclass(frozen=True)
class Merge:
    """What makes the difference to main: files taken from the branch, and files that the branch took away.

    `from_main` and `from_branch` are the files that both sides had changed, by whose version was kept.
    """

    taken: tuple[str, ...]
    removed: tuple[str, ...]
    from_main: tuple[str, ...]
    from_branch: tuple[str, ...]


def merge(base: Folder, main: Folder, branch: Folder, *, run: str) -> Merge:
    names = sorted(base.entries.keys() | main.entries.keys() | branch.entries.keys())
    changed = [name for name in names if branch.entries.get(name) not in _at(name, base, main)]
    clashing = [name for name in changed if base.entries.get(name) != main.entries.get(name)]
    ours = [name for name in clashing if _is_the_runs(name, run) or name not in main.entries]
    kept = [name for name in changed if name not in clashing or name in ours]
    told = [name for name in clashing if not name.startswith(OURS) and name not in (LOG, TASKS)]
    return Merge(
        taken=tuple(name for name in kept if name in branch.entries),
        removed=tuple(name for name in kept if name not in branch.entries),
        from_main=tuple(name for name in told if name not in ours),
        from_branch=tuple(name for name in told if name in ours),
    )


def _at(name: str, *folders: Folder) -> Iterator[Entry | None]:
    return (folder.entries.get(name) for folder in folders)


def _is_the_runs(name: str, run: str) -> bool:
    return name in (CODE, record_path(run), plot_path(run), PROGRESS_PLOT)
