"""actions/upload-artifact: which files an artifact holds, and its zip."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RETENTION_DAYS = 90


class UploadRefused(Exception):  # noqa: N818 (what the action says)
    pass


@dataclass(frozen=True)
class Upload:
    name: str
    files: Mapping[str, Path]
    """By their name in the zip."""
    retention_days: int
    overwrite: bool

    @classmethod
    def from_options(cls, options: Mapping[str, str], *, workspace: Path) -> "Upload":
        hidden = options.get("include-hidden-files") == "true"
        files = _find(options.get("path", "").split("\n"), workspace, hidden=hidden)
        name = options.get("name") or "artifact"
        if not files and options.get("if-no-files-found") == "error":
            raise UploadRefused(f"No files were found with the provided path: {options.get('path', '')}")
        return cls(
            name=name,
            files=_named(files),
            retention_days=int(options.get("retention-days") or RETENTION_DAYS),
            overwrite=options.get("overwrite") == "true",
        )

    def pack(self, file: Path) -> tuple[int, str]:
        """Written aside and renamed; answers size and SHA-256."""
        aside = file.with_suffix(".part")
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, source in sorted(self.files.items()):
                archive.write(source, name)
        content = aside.read_bytes()
        aside.rename(file)
        return len(content), hashlib.sha256(content).hexdigest()


def _find(lines: list[str], workspace: Path, *, hidden: bool) -> list[tuple[Path, Path]]:
    """(the searched folder, the file) for each line: a file, a folder or a pattern; `!` takes away."""
    found: dict[Path, Path] = {}
    for line in map(str.strip, lines):
        if not line:
            continue
        for root in _matches(line.removeprefix("!"), workspace):
            inside = [root] if root.is_file() else [file for file in root.rglob("*") if file.is_file()]
            for file in inside:
                if line.startswith("!"):
                    found.pop(file, None)
                elif hidden or not any(part.startswith(".") for part in file.relative_to(root.parent).parts):
                    found[file] = root if root.is_dir() else root.parent
    return [(root, file) for file, root in found.items()]


def _matches(pattern: str, workspace: Path) -> list[Path]:
    whole = Path(pattern) if Path(pattern).is_absolute() else workspace / pattern
    if not any(sign in pattern for sign in "*?["):
        return [whole] if whole.exists() else []
    anchor = Path(whole.anchor)
    return sorted(anchor.glob(str(whole.relative_to(anchor))))


def _named(found: list[tuple[Path, Path]]) -> dict[str, Path]:
    """Paths in the zip begin below the least folder that holds all that was searched."""
    if not found:
        return {}
    root = _common([folder for folder, _ in found])
    return {file.relative_to(root).as_posix(): file for _, file in found}


def _common(folders: list[Path]) -> Path:
    first = folders[0]
    return next(
        candidate
        for candidate in (first, *first.parents)
        if all(folder.is_relative_to(candidate) for folder in folders)
    )
