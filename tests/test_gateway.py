"""The door to GitHub: hostile archives, GitHub's refusals as ours, and the verbs against the stand-in."""

import io
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from github import BadCredentialsException, GithubException, RateLimitExceededException, UnknownObjectException
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import ArtifactError, GitHubError, Moved, NotFound, Refused, Unavailable
from bot.events import request_name
from bot.gateway import App, WorkflowRun, translated, unzip
from bot.pieces import CheckRun
from runner.result import ARTIFACT_SIZES
from tests.lab import Lab
from tests.story import LAB

NOBODY = "0" * 40


def packed(files: dict[str, bytes], *, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


# Archives


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


# Errors


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (UnknownObjectException(404, {"message": "Not Found"}), NotFound),
        (GithubException(410, {"message": "Gone"}), NotFound),
        (BadCredentialsException(401, {"message": "Bad credentials"}), Refused),
        (GithubException(403, {"message": "Resource not accessible by integration"}), Refused),
        (GithubException(422, {"message": "Validation Failed"}), Refused),
        (GithubException(409, {"message": "Conflict"}), Moved),
        (GithubException(500, {"message": "Oops"}), Unavailable),
        (GithubException(502, "<html>"), Unavailable),
        (RateLimitExceededException(403, {"message": "Wait"}), Unavailable),
        (RateLimitExceededException(429, None), Unavailable),
        (requests.exceptions.ConnectionError("refused"), Unavailable),
        (requests.exceptions.ReadTimeout("slow"), Unavailable),
    ],
)
def test_github_s_refusals_become_ours(error: Exception, ours: type[GitHubError]) -> None:
    with pytest.raises(ours) as caught, translated():
        raise error
    assert type(caught.value) is ours


def test_what_github_says_is_told_with_its_details() -> None:
    data = {"message": "Validation Failed", "errors": [{"message": "Reference already exists"}, {"code": "x"}, "y"]}
    with (
        pytest.raises(Refused, match=r"^GitHub answered 422: Validation Failed; Reference already exists$"),
        translated(),
    ):
        raise GithubException(422, data)


def test_what_is_not_github_s_passes() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError("ours")


# Verbs


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.end()


def test_the_app_knows_its_labs_and_its_name(lab: Lab) -> None:
    assert lab.app.labs() == [LAB]
    assert lab.gateway.login == "trainwright[bot]"


def test_a_lab_without_the_app_is_not_found(lab: Lab) -> None:
    with pytest.raises(NotFound):
        lab.app.gateway("ada/other")


def test_an_issue_is_read_and_a_pull_request_is_none(lab: Lab) -> None:
    number = lab.issue("experiment")
    found = lab.gateway.issue(number)
    assert (found.title, found.author, found.open, found.labels, found.seen) == (
        "Fit it",
        "ada",
        True,
        frozenset({"experiment"}),
        0,
    )
    lab.branch("a-branch", {"a.txt": "a"})
    lab.gateway.open_pull(branch="a-branch", title="A", body="")
    [pull] = lab.gateway.pulls_from("a-branch")
    for missing in (pull.number, 9999):
        with pytest.raises(NotFound):
            lab.gateway.issue(missing)
    assert lab.gateway.branch_of_thread(pull.number) == "a-branch"
    assert lab.gateway.branch_of_thread(number) is None


def test_comments_tell_ours_from_others(lab: Lab) -> None:
    number = lab.issue()
    lab.ada.comment(number, "/report")
    lab.gateway.comment(number, "Fine.")
    theirs, ours = lab.gateway.comments(number)
    assert (theirs.login, theirs.by_us, theirs.by_bot) == ("ada", False, False)
    assert (ours.login, ours.by_us, ours.by_bot) == ("trainwright[bot]", True, True)
    lab.gateway.edit_comment(ours.id, "Better.")
    assert lab.gateway.comments(number)[1].body == "Better."


def test_more_than_one_page_is_read(lab: Lab) -> None:
    number = lab.issue()
    for index in range(101):
        lab.gateway.comment(number, f"{index}")
    assert [comment.body for comment in lab.gateway.comments(number)] == [str(index) for index in range(101)]


def test_labels_come_and_go(lab: Lab) -> None:
    number = lab.issue()
    lab.gateway.add_label(number, "paused")
    lab.gateway.remove_label(number, "paused")
    lab.gateway.remove_label(number, "paused")
    events = [(h.event, h.label, h.login) for h in lab.gateway.timeline(number)]
    assert events == [(event, "paused", "trainwright[bot]") for event in ("labeled", "unlabeled")]


def test_labels_that_are_missing_are_made_once(lab: Lab) -> None:
    for _ in range(2):
        lab.gateway.create_labels({"a label": "What it says"})
    number = lab.issue("a label")
    assert lab.gateway.issue(number).labels == {"a label"}


@pytest.mark.parametrize(("role", "may"), [("write", True), ("admin", True), ("maintain", True), ("triage", False)])
def test_who_may_write(lab: Lab, role: str, may: bool) -> None:
    lab.person(f"a-{role}", role=role)
    assert lab.gateway.may_write(f"a-{role}") is may


def test_a_stranger_and_nobody_may_not_write(lab: Lab) -> None:
    assert not lab.gateway.may_write("nobody-at-all")
    assert not lab.gateway.may_write("odd/../login")


def test_a_commit_has_texts_and_pictures_and_moves_its_branch(lab: Lab) -> None:
    first = lab.branch("work", {"a/b.txt": "one"})
    second = lab.gateway.commit(parent=first, files={"a/b.txt": "two", "p.png": b"\x89\0\xff"}, message="Second")
    lab.gateway.move_branch("work", second)
    assert lab.gateway.head("work") == second
    tree = lab.gateway.tree(second)
    assert lab.gateway.blob(tree["a/b.txt"].sha) == b"two"
    assert lab.gateway.blob(tree["p.png"].sha) == b"\x89\0\xff"
    assert "README.md" in tree


def test_a_branch_that_went_on_is_not_moved_back(lab: Lab) -> None:
    first = lab.branch("busy", {"a.txt": "one"})
    theirs = lab.gateway.commit(parent=first, files={"a.txt": "theirs"}, message="Theirs")
    ours = lab.gateway.commit(parent=first, files={"a.txt": "ours"}, message="Ours")
    lab.gateway.move_branch("busy", theirs)
    with pytest.raises(Moved):
        lab.gateway.move_branch("busy", ours)
    assert lab.gateway.head("busy") == theirs


def test_a_branch_and_its_pull_request_are_made_once(lab: Lab) -> None:
    first = lab.branch("once", {"a.txt": "one"})
    lab.gateway.create_branch("once", lab.branch("other", {"a.txt": "two"}))
    assert lab.gateway.head("once") == first
    for _ in range(2):
        lab.gateway.open_pull(branch="once", title="Once", body="One")
    [pull] = lab.gateway.pulls_from("once")
    assert (pull.open, pull.merged, pull.head, pull.body) == (True, False, first, "One")
    lab.gateway.edit_pull(pull.number, body="Two")
    lab.ada.merge(pull.number)
    [pull] = lab.gateway.pulls_from("once")
    assert (pull.open, pull.merged, pull.body) == (False, True, "Two")
    assert pull.closed_at
    assert lab.gateway.head("once") is None


def test_a_missing_branch_and_commit_are_told_apart_from_errors(lab: Lab) -> None:
    assert lab.gateway.head("no/such/branch") is None
    assert lab.gateway.pulls_from("no/such/branch") == []
    with pytest.raises(GitHubError):
        lab.gateway.tree(NOBODY)


def test_a_check_is_made_and_brought_up_to_date(lab: Lab) -> None:
    sha = lab.branch("checked", {"a.txt": "one"})
    check = CheckRun(sha, "1/1/abc", "in_progress", None, "Training", "It runs.", "https://example.com/")
    lab.gateway.set_check(check, known=())
    [known] = lab.gateway.checks(sha)
    done = CheckRun(sha, "1/1/abc", "completed", "neutral", "no gain", "It ran.", "https://example.com/")
    lab.gateway.set_check(done, known=[known])
    [found] = lab.gateway.checks(sha)
    assert (found.id, found.status, found.conclusion, found.title) == (known.id, "completed", "neutral", "no gain")


def train(lab: Lab, experiment: int, command: str) -> WorkflowRun:
    """Dispatched, and ended."""
    request = request_name(experiment, "1", "a" * 40, 1)
    lab.gateway.dispatch({"pr": "1", "sha": "b" * 40, "request": request, "command": command})
    [found] = lab.gateway.workflow_runs(experiment, since=datetime.now(UTC) - timedelta(days=1))
    lab.run(found.id)
    [found] = lab.gateway.workflow_runs(experiment, since=datetime.now(UTC) - timedelta(days=1))
    return found


def test_a_training_is_found_by_its_name_with_its_artifact(lab: Lab) -> None:
    found = train(lab, 901, "echo digest > digest.md; echo evil > evil.sh")
    assert (found.request.run, found.request.ordinal, found.sha) == ("1", 1, "b" * 40)
    assert (found.status, found.conclusion, found.attempt) == ("completed", "success", 1)
    assert lab.gateway.artifact(found) == {"digest.md": b"digest\n"}
    lab.gateway.cancel(found.id)


def test_a_training_that_left_nothing_has_no_artifact(lab: Lab) -> None:
    found = train(lab, 902, "false")
    assert found.conclusion == "failure"
    assert lab.gateway.artifact(found) is None


def test_other_workflow_runs_are_none_of_an_experiment_s(lab: Lab) -> None:
    lab.ada.dispatch("train.yml", pr="1", sha="x", request="by hand", command="true")
    assert lab.gateway.workflow_runs(903, since=datetime.now(UTC) - timedelta(days=1)) == []


def test_what_happened_since_is_told_with_its_place(lab: Lab) -> None:
    since = datetime.now(UTC) - timedelta(seconds=2)
    number = lab.issue("experiment")
    lab.ada.comment(number, "Hm.")
    train(lab, 904, "true")
    experiments, threads = lab.gateway.changed_since(since)
    assert 904 in experiments
    assert number in threads
    assert lab.gateway.changed_since(datetime.now(UTC) + timedelta(hours=1)) == (set(), set())


def test_open_experiments_are_issues_with_the_label(lab: Lab) -> None:
    number, other = lab.issue("experiment"), lab.issue()
    assert number in lab.gateway.open_experiments()
    assert other not in lab.gateway.open_experiments()
    lab.gateway.close_issue(number)
    assert number not in lab.gateway.open_experiments()


def test_the_eyes_are_seen(lab: Lab) -> None:
    number = lab.issue()
    lab.gateway.react(number)
    lab.gateway.react(number)
    assert lab.gateway.issue(number).seen == 1


def test_without_github_everything_is_unavailable(lab: Lab) -> None:
    gone = App(api_url="http://127.0.0.1:9/api/v3", app_id="1", private_key=lab.key.private_key, pace=False)
    with pytest.raises(Unavailable, match="could not be reached"):
        gone.gateway(LAB)
    gone.close()
