"""What the runner sent: unpacked and validated. All of it could have been written by train.py. Pure."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping

from bot.errors import ArtifactError
from bot.experiment import Artifact
from runner.result import ARTIFACT_NAMES, ARTIFACT_SIZES, Result, ResultError, read_metrics

ZIP_LIMIT = 96 * 1024 * 1024


def join(chunks: Iterable[bytes]) -> bytes:
    """A download, as long as it is no larger than any runner of ours sends."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > ZIP_LIMIT:
            raise ArtifactError(f"It is larger than {ZIP_LIMIT // 1024**2} MB.")
    return bytes(content)


def unzip(content: bytes) -> Mapping[str, bytes]:
    """The files that we know, each within its size. No name of the archive is used as a path."""
    files = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in ARTIFACT_NAMES:
                if name in archive.namelist():
                    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                        raise ArtifactError(f"{name} is compressed in a way that no runner of ours uses.")
                    with archive.open(name) as file:
                        files[name] = file.read(ARTIFACT_SIZES[name] + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ArtifactError(f"It is not a zip file that I can read: {error}.") from None
    large = [name for name, data in files.items() if len(data) > ARTIFACT_SIZES[name]]
    if large:
        raise ArtifactError(f"{', '.join(large)} is larger than allowed.")
    return files


def read_artifact(files: Mapping[str, bytes]) -> Artifact:
    """Raises ArtifactError with the exact complaint."""
    if "result.json" not in files:
        raise ArtifactError("It has no result.json.")
    try:
        result = Result.from_json(files["result.json"].decode())
    except (ResultError, UnicodeDecodeError) as error:
        raise ArtifactError(f"Its result.json is not valid: {error}") from None
    digest = files.get("digest.md", b"").decode(errors="replace")
    points = read_metrics(files.get("metrics.jsonl", b"").decode(errors="replace"))
    return Artifact(result, digest, points)
