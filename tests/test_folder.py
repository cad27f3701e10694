"""Inputs change with what a training depends on and with nothing else; and ids of content are git's."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.folder import (
    CODE,
    DOCUMENTS,
    PROGRESS_PLOT,
    Entry,
    Folder,
    blob_sha,
    find_folder,
    folder_name,
    inputs_of,
    is_folder_of,
    is_record,
    is_text,
    plot_path,
    record_path,
)  # fmt: skip
from bot.records import to_json
from tests.values import record, result_of

CONTENT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
OURS = [*sorted(DOCUMENTS), record_path("3"), plot_path("3"), PROGRESS_PLOT, "runs/notes.txt"]
THEIRS = [
    CODE,
    "evaluate.py",
    "data/PLAN.md",
    "requirements.txt",
    "runs",
    "plots.py",
    "plan.md",
    "data/runs/run-3.json",
]


def entry(text: str, mode: str = "100644") -> Entry:
    return Entry(mode, blob_sha(text.encode()))


FOLDER = Folder("c" * 40, "experiments/1-fit", {CODE: entry("print(1)\n"), "PLAN.md": entry("# Plan\n")})


def git(*arguments: str, folder: Path, content: bytes = b"") -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "core.autocrlf=false", *arguments]
    done = subprocess.run(
        command, cwd=folder, input=content, capture_output=True, check=True, env={**os.environ, **settings}
    )
    return done.stdout.decode()


@pytest.mark.parametrize("content", [b"", b"print(1)\n", b"a\r\nb\rc", "é 漢 🎉".encode(), bytes(range(256)) * 9])
def test_the_id_of_content_is_git_s(tmp_path: Path, content: bytes) -> None:
    assert blob_sha(content) == git("hash-object", "--stdin", folder=tmp_path, content=content).strip()


def test_the_inputs_with_files_are_those_that_git_then_gives(tmp_path: Path) -> None:
    before = {"evaluate.py": "import train\n", CODE: "print(1)\n", "data/words.txt": "é\n"}
    after = {CODE: "print(2)\r\n", "PLAN.md": "# Plan\n", record_path("1"): "{}\n"}
    folder = Folder("", "", {name: entry(text) for name, text in before.items()})
    git("init", "--quiet", folder=tmp_path)
    for name, text in {**before, **after}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    git("add", ".", folder=tmp_path)
    rows = [line.split() for line in git("ls-files", "--stage", folder=tmp_path).splitlines()]
    assert folder.inputs_with(after) == inputs_of({name: Entry(mode, sha) for mode, sha, _, name in rows})
    assert folder.inputs_with(after) != folder.inputs


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(OURS), CONTENT)
def test_what_the_bot_keeps_is_no_input(name: str, text: str) -> None:
    assert FOLDER.inputs_with({name: text}) == FOLDER.inputs


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(THEIRS), CONTENT)
def test_everything_else_is_an_input(name: str, text: str) -> None:
    same = FOLDER.entries.get(name) == entry(text)
    assert (FOLDER.inputs_with({name: text}) == FOLDER.inputs) is same


def test_a_file_that_becomes_a_program_or_gets_a_name_of_its_own_is_another_input() -> None:
    as_program = inputs_of({CODE: entry("print(1)\n", "100755")})
    renamed = inputs_of({"prepare.py": entry("print(1)\n")})
    assert len({FOLDER.inputs, as_program, renamed, inputs_of({})}) == 4


def test_no_name_stands_for_two_files() -> None:
    one, other = entry("1"), entry("2")
    two_files = inputs_of({"a": one, "b": other})
    assert inputs_of({f"a\n{other.mode} {other.sha} b": one}) != two_files


def test_the_order_of_files_means_nothing() -> None:
    assert inputs_of(dict(reversed(list(FOLDER.entries.items())))) == FOLDER.inputs


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Sentence memory", "experiments/12-sentence-memory"),
        ("[Experiment] Larger models?", "experiments/12-larger-models"),
        ("../../etc/passwd\n", "experiments/12-etc-passwd"),
        ("漢字 🎉", "experiments/12"),
        ("", "experiments/12"),
        ("a" * 39 + " " + "b" * 9, "experiments/12-" + "a" * 39),
    ],
)
def test_a_folder_is_named_by_number_and_title(title: str, name: str) -> None:
    assert folder_name(12, title) == name


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10**6), st.text(max_size=80), st.integers(1, 10**6))
def test_a_folder_is_found_again_by_its_number(issue: int, title: str, other: int) -> None:
    root, _, name = folder_name(issue, title).partition("/")
    assert (root, "/" in name, len(name) <= 48) == ("experiments", False, True)
    assert is_folder_of(issue, name)
    assert is_folder_of(other, name) is (other == issue)


@pytest.mark.parametrize("name", ["1", "123", "12x", "x12", "012", "12 a", ""])
def test_a_folder_of_another_number_is_not_taken(name: str) -> None:
    assert not is_folder_of(12, name)


def test_a_folder_that_is_not_there_has_no_texts() -> None:
    nothing = Folder("c" * 40, "experiments/1-fit")
    assert (nothing.exists, nothing.text(CODE), FOLDER.exists) == (False, "", True)


# Where it is


def tree(*paths: str) -> dict[str, Entry]:
    return {path: entry(path) for path in paths}


def test_a_folder_is_what_lies_in_it() -> None:
    files = ("experiments/12-fit/train.py", "experiments/12-fit/data/a.txt", "experiments/123-fit/train.py", "train.py")
    found = find_folder(tree(*files), "c" * 40, 12, title="Another title")
    assert (found.commit, found.path) == ("c" * 40, "experiments/12-fit")
    assert found.entries == {"train.py": entry(files[0]), "data/a.txt": entry(files[1])}


def test_where_there_is_none_it_is_where_it_will_be() -> None:
    for files in ([], ["experiments/12-fit"], ["experiments/123-fit/train.py"], ["12-fit/train.py"]):
        found = find_folder(tree(*files), "c" * 40, 12, title="Fit it")
        assert (found.path, found.exists) == ("experiments/12-fit-it", False)


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (["12-a/train.py", "12-b/train.py", "12-b/PLAN.md"], "experiments/12-b"),
        (["12-b/train.py", "12-a/train.py"], "experiments/12-a"),
        (["12/train.py", "12-a/train.py"], "experiments/12"),
    ],
)
def test_of_two_folders_the_one_that_holds_more_counts(files: list[str], path: str) -> None:
    """As after a renaming that left something behind."""
    found = find_folder(tree(*(f"experiments/{file}" for file in files)), "c" * 40, 12, title="")
    assert found.path == path
    assert all(f"{path.removeprefix('experiments/')}/{name}" in files for name in found.entries)


# As it is once files are written


def test_written_files_are_known_by_content_text_and_record() -> None:
    files: dict[str, str | bytes] = {
        CODE: "print(2)\n",
        record_path("1"): to_json(record()),
        plot_path("1"): b"\x89PNG",
        "a.txt": "é",
    }
    after = FOLDER.with_files("d" * 40, files)
    assert (after.commit, after.path) == ("d" * 40, FOLDER.path)
    assert after.entries == dict(FOLDER.entries) | {
        name: Entry("100644", blob_sha(content.encode() if isinstance(content, str) else content))
        for name, content in files.items()
    }
    assert dict(after.texts) == {CODE: "print(2)\n"}
    assert after.records == (record(),)
    assert FOLDER.records == ()


def test_a_file_that_is_taken_away_is_known_no_more() -> None:
    full = FOLDER.with_files("d" * 40, {CODE: "x", record_path("1"): to_json(record()), "a.txt": "a"})
    after = full.with_files("e" * 40, dict.fromkeys([CODE, record_path("1"), "a.txt", "never.txt"]))
    assert (sorted(after.entries), dict(after.texts), after.records) == (["PLAN.md"], {}, ())


def test_records_are_replaced_and_in_order() -> None:
    full = FOLDER
    for one in (record("10"), record("2"), result_of("10")):
        full = full.with_files("d" * 40, {record_path(one.run): to_json(one)})
    assert full.records == (record("2"), result_of("10"))


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from([*THEIRS, *sorted(DOCUMENTS), plot_path("3")]), CONTENT))
def test_what_is_known_after_writing_is_what_was_foretold(files: dict[str, str]) -> None:
    after = FOLDER.with_files("d" * 40, files)
    assert after.inputs == FOLDER.inputs_with(files)
    assert all(after.text(name) == text for name, text in files.items() if is_text(name))
    assert all((name in after.texts) is is_text(name) for name in files)


@pytest.mark.parametrize(
    ("name", "record_", "text"),
    [
        ("runs/run-1.json", True, False),
        ("runs/notes.txt", False, False),
        ("data/runs/run-1.json", False, False),
        (CODE, False, True),
        ("PLAN.md", False, True),
        ("data/PLAN.md", False, False),
    ],
)
def test_what_is_read_of_a_folder(name: str, record_: bool, text: bool) -> None:
    assert (is_record(name), is_text(name)) == (record_, text)
