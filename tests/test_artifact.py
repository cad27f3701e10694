"""What a runner sent: hostile archives, and contents that could have been written by train.py."""

import io
import json
import struct
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.artifact import ZIP_LIMIT, join, read_artifact, unzip
from bot.errors import ArtifactError
from runner.result import ARTIFACT_SIZES, Status
from tests.values import result

# Archives


def packed(files: dict[str, bytes], *, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def test_the_known_files_are_unpacked_and_no_other() -> None:
    names = ["result.json", "digest.md", "../digest.md", "/etc/passwd", "a/result.json", "C:\\x", "x.py"]
    assert unzip(packed({name: name.encode() for name in names})) == {
        "result.json": b"result.json",
        "digest.md": b"digest.md",
    }


def test_an_archive_without_a_known_file_is_empty() -> None:
    assert unzip(packed({"other": b"x"})) == {}


@pytest.mark.parametrize("name", ["result.json", "digest.md"])
def test_a_file_of_the_allowed_size_is_taken_and_a_larger_one_refused(name: str) -> None:
    size = ARTIFACT_SIZES[name]
    assert len(unzip(packed({name: bytes(size)}))[name]) == size
    with pytest.raises(ArtifactError, match=f"{name} is larger than allowed"):
        unzip(packed({name: bytes(size + 1)}))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed({"digest.md": bytes(30 * 1024 * 1024)})
    assert len(bomb) < ARTIFACT_SIZES["digest.md"]
    with pytest.raises(ArtifactError, match=r"digest\.md is larger"):
        unzip(bomb)


def test_a_size_that_lies_is_found_out() -> None:
    size = ARTIFACT_SIZES["digest.md"] + 1
    lying = packed({"digest.md": b"x" * size}).replace(struct.pack("<I", size), struct.pack("<I", 10))
    with pytest.raises(ArtifactError):
        unzip(lying)


def test_of_two_files_with_one_name_the_last_counts() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("digest.md", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("digest.md", "last")
    assert unzip(content.getvalue()) == {"digest.md": b"last"}


def encrypted() -> bytes:
    """The flag is set in both headers; there is no key."""
    content = bytearray(packed({"digest.md": b"secret"}, how=zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", b"PK\x03\x04", packed({"digest.md": b"x" * 100})[:-10], encrypted()],
    ids=["empty", "text", "header", "cut off", "encrypted"],
)
def test_a_broken_archive_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match="not a zip file that I can read"):
        unzip(content)


DEFLATED = packed({"digest.md": b"many words " * 100})
LZMA = packed({"digest.md": b"many words " * 100}, how=zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    "content",
    [
        DEFLATED[:40] + b"\xff" * 8 + DEFLATED[48:],
        LZMA,
        LZMA[:52] + b"\xff" * 8 + LZMA[60:],
    ],
    ids=["deflate", "lzma", "broken lzma"],
)
def test_compressed_bytes_that_are_none_or_odd_are_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"not a zip file that I can read|compressed in a way"):
        unzip(content)


WHOLE = packed({"result.json": b'{"version": 1}', "digest.md": b"words " * 50})


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), st.integers(0, len(WHOLE)))
@settings(deadline=None, max_examples=100)
def test_an_archive_damaged_anywhere_is_read_or_refused(damage: list[tuple[int, int]], length: int) -> None:
    content = bytearray(WHOLE)
    for place, value in damage:
        content[place] = value
    for cut in (bytes(content), bytes(content[:length])):
        try:
            files = unzip(cut)
        except ArtifactError:
            files = {}
        assert set(files) <= set(ARTIFACT_SIZES)


@given(st.lists(st.binary(max_size=20)))
def test_a_download_is_its_chunks(chunks: list[bytes]) -> None:
    assert join(chunks) == b"".join(chunks)


def test_a_download_without_end_is_left() -> None:
    chunk, taken = bytes(1024**2), list[int]()

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield chunk

    with pytest.raises(ArtifactError, match="larger than 96 MB"):
        join(endless())
    assert len(taken) == ZIP_LIMIT // len(chunk) + 1


# Contents


def test_an_artifact_s_texts_may_hold_any_bytes() -> None:
    good = result().to_json().encode()
    found = read_artifact({"result.json": good, "digest.md": b"\xff\0", "metrics.jsonl": b"\xff\n{\n"})
    assert (found.result, found.points) == (result(), ())


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[" * 10_000, json.dumps({"version": 1}).encode()])
def test_a_result_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"Its result\.json is not valid"):
        read_artifact({"result.json": content})
    with pytest.raises(ArtifactError, match=r"It has no result\.json"):
        read_artifact({"digest.md": content})


def test_any_status_is_read() -> None:
    for status in Status:
        one = result(status)
        assert read_artifact({"result.json": one.to_json().encode()}).result == one
