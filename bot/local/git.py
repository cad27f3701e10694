"""One bare git repository, by git's plumbing. It knows objects and refs, and nothing of GitHub."""

import math
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MODE_FILE = "100644"
MODE_TREE = "040000"
ZERO = "0" * 40
MOST_MOVES = 10_000
"""So many moves of refs are remembered, since the start."""


class GitError(Exception):
    """What git said on its standard error."""


class RefMoved(GitError):  # noqa: N818
    """The ref was not where the caller believed it to be."""


@dataclass(frozen=True)
class Signature:
    name: str
    email: str
    date: datetime

    @classmethod
    def parse(cls, line: str) -> "Signature":
        name, _, rest = line.partition(" <")
        email, _, rest = rest.partition("> ")
        return cls(name, email, datetime.fromtimestamp(int(rest.split(" ")[0]), UTC))

    def __str__(self) -> str:
        return f"{self.name} <{self.email}> {int(self.date.timestamp())} +0000"


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class Entry:
    """One line of a tree; `path` is from the tree's root."""

    path: str
    mode: str
    kind: str
    sha: str
    size: int | None = None


@dataclass(frozen=True)
class FileChange:
    path: str
    status: str
    """added, modified, removed or renamed."""
    sha: str
    patch: str | None
    additions: int
    deletions: int
    former_path: str | None = None


@dataclass(frozen=True)
class Move:
    """A ref was made, moved or deleted; `before` is where it was."""

    at: float
    ref: str
    before: str | None


class Git:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader = ObjectReader(folder)
        self._moving = threading.Lock()
        self._moves: deque[Move] = deque(maxlen=MOST_MOVES)

    @classmethod
    def create(cls, folder: Path, *, default_branch: str) -> "Git":
        folder.parent.mkdir(parents=True, exist_ok=True)
        _git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(folder))
        made = cls(folder)
        # actions/checkout fetches by commit, also one that only refs/pull/<n>/head still knows.
        made.run("config", "uploadpack.allowAnySHA1InWant", "true")
        made.run("config", "gc.auto", "0")
        return made

    def close(self) -> None:
        self._reader.close()

    def run(self, *arguments: str, stdin: bytes = b"") -> str:
        return _git(f"--git-dir={self.folder}", *arguments, stdin=stdin).decode(errors="replace")

    # Objects

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """(sha, kind, content) of any revision: a sha, a ref, `ref:path`."""
        return self._reader.read(name)

    def blob(self, name: str) -> bytes | None:
        found = self.read(name)
        return found[2] if found and found[1] == "blob" else None

    def commit(self, name: str) -> Commit | None:
        found = self.read(f"{name}^{{commit}}")
        return _parse_commit(found[0], found[2].decode(errors="replace")) if found else None

    def tree(self, name: str, *, recursive: bool = False) -> list[Entry] | None:
        found = self.read(f"{name}^{{tree}}")
        if found is None:
            return None
        options = ["-r", "-t"] if recursive else []
        listing = self.run("ls-tree", "-z", "-l", *options, found[0])
        return [_parse_entry(line) for line in listing.split("\0") if line]

    def write_blob(self, content: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", stdin=content).strip()

    def write_tree(self, changes: Mapping[str, tuple[str, str] | None], *, base: str | None = None) -> str:
        """`base` with each path set to (mode, sha) of a blob or a tree, or without it for None."""
        entries = {entry.path: (entry.mode, entry.sha) for entry in (self.tree(base) or [])} if base else {}
        below: dict[str, dict[str, tuple[str, str] | None]] = {}
        for path, change in changes.items():
            top, slash, rest = path.partition("/")
            if slash:
                below.setdefault(top, {})[rest] = change
            elif change is None:
                entries.pop(top, None)
            else:
                entries[top] = change
        for top, inner in below.items():
            mode, sha = entries.pop(top, ("", ""))
            subtree = self.write_tree(inner, base=sha if mode == MODE_TREE else None)
            if self.tree(subtree):
                entries[top] = (MODE_TREE, subtree)
        lines = [f"{mode} {_kind(mode)} {sha}\t{name}\0" for name, (mode, sha) in entries.items()]
        return self.run("mktree", "-z", stdin="".join(lines).encode()).strip()

    def write_commit(
        self, *, tree: str, parents: Iterable[str], message: str, author: Signature, committer: Signature | None = None
    ) -> str:
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author}", f"committer {committer or author}", "", message]
        return self.run("hash-object", "-t", "commit", "-w", "--stdin", stdin="\n".join(lines).encode()).strip()

    # Refs

    def resolve(self, ref: str) -> str | None:
        """The sha of a full ref name (refs/heads/…)."""
        found = self.read(ref)
        return found[0] if found else None

    def refs(self, prefix: str, *, at: float = math.inf) -> dict[str, str]:
        """Full ref names that begin with the prefix, and their shas, as they were at a moment (time.monotonic)."""
        with self._moving:
            listing = self.run("for-each-ref", "--format=%(refname) %(objectname)")
            moves = [move for move in self._moves if move.at > at]
        found: dict[str, str | None] = {
            name: sha for name, _, sha in (line.partition(" ") for line in listing.splitlines())
        }
        for move in reversed(moves):
            found[move.ref] = move.before
        return {name: sha for name, sha in sorted(found.items()) if sha and name.startswith(prefix)}

    def resting(self, ref: str) -> float:
        """Seconds since it last moved."""
        with self._moving:
            moved = next((move.at for move in reversed(self._moves) if move.ref == ref), -math.inf)
        return time.monotonic() - moved

    def set_ref(self, ref: str, sha: str, *, old: str | None = None) -> None:
        """`old` is where it must be now: ZERO for nowhere, None for anywhere."""
        try:
            self._update(ref, ref, sha, *([old] if old else []))
        except GitError as error:
            raise RefMoved(str(error)) from error

    def delete_ref(self, ref: str) -> None:
        self._update(ref, "-d", ref)

    def _update(self, ref: str, *arguments: str) -> None:
        with self._moving:
            before = self.resolve(ref)
            self.run("update-ref", *arguments)
            self._moves.append(Move(time.monotonic(), ref, before))

    # History

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self._base(older, newer) == older

    def merge_base(self, one: str, other: str) -> str | None:
        return self._base(one, other)

    def between(self, base: str, head: str) -> list[str]:
        """Commits of head that base lacks, oldest first."""
        return self.run("rev-list", "--reverse", "--topo-order", f"{base}..{head}").split()

    def changes(self, base: str, head: str) -> list[FileChange]:
        """What has to be done to base's files to get head's."""
        raw = self.run("diff-tree", "-r", "-M", "-z", "--raw", base, head).split("\0")
        text = self.run("diff-tree", "-r", "-M", "-p", "--no-color", "--full-index", base, head)
        patches = ("\n" + text).split("\ndiff --git ")[1:]
        return [_change(fields, patch) for fields, patch in zip(_raw_lines(raw), patches, strict=True)]

    def _base(self, one: str, other: str) -> str | None:
        try:
            return self.run("merge-base", one, other).strip()
        except GitError:
            return None


class ObjectReader:
    """`git cat-file --batch`, kept running: a read takes microseconds instead of a process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        if "\n" in name or "\0" in name:
            return None
        with self._lock:
            process = self._running()
            assert process.stdin
            assert process.stdout
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
            header = process.stdout.readline().decode().split()
            if len(header) != 3 or header[1] not in ("blob", "tree", "commit", "tag"):
                return None
            content = process.stdout.read(int(header[2]) + 1)[:-1]
        return header[0], header[1], content

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.communicate()
                self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            # A session of its own: Ctrl-C in the terminal is for us to handle.
            self._process = subprocess.Popen(
                ["git", f"--git-dir={self._folder}", "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process


def _git(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False, start_new_session=True)
    if done.returncode != 0:
        raise GitError(done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip())
    return done.stdout


def _parse_commit(sha: str, text: str) -> Commit:
    head, _, message = text.partition("\n\n")
    lines = [line.partition(" ")[::2] for line in head.splitlines() if not line.startswith(" ")]
    known = dict(lines)
    return Commit(
        sha=sha,
        tree=known["tree"],
        parents=tuple(value for key, value in lines if key == "parent"),
        author=Signature.parse(known["author"]),
        committer=Signature.parse(known["committer"]),
        message=message,
    )


def _parse_entry(line: str) -> Entry:
    meta, _, path = line.partition("\t")
    mode, kind, sha, size = meta.split()
    return Entry(path=path, mode=mode, kind=kind, sha=sha, size=None if size == "-" else int(size))


def _kind(mode: str) -> str:
    return {"040000": "tree", "160000": "commit"}.get(mode, "blob")


def _raw_lines(fields: list[str]) -> list[list[str]]:
    """`git diff --raw -z` has one path per change, but two for a rename."""
    lines, rest = [], [field for field in fields if field]
    while rest:
        letter = rest[0].split(" ")[-1][0]
        length = 3 if letter in "RC" else 2
        lines.append(rest[:length])
        rest = rest[length:]
    return lines


def _change(fields: list[str], patch: str) -> FileChange:
    _, _, old_sha, new_sha, letter = fields[0].split(" ")
    status = {"A": "added", "D": "removed", "R": "renamed"}.get(letter[0], "modified")
    _, at, hunks = patch.partition("\n@@")
    lines = hunks.split("\n") if at else []
    return FileChange(
        path=fields[-1],
        status=status,
        sha=old_sha if status == "removed" else new_sha,
        patch=("@@" + hunks).rstrip("\n") if at else None,
        additions=sum(line.startswith("+") for line in lines),
        deletions=sum(line.startswith("-") for line in lines),
        former_path=fields[1] if status == "renamed" else None,
    )
