"""What GitHub sends, what it does not send, and the names that lead back to an experiment."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import events
from bot.errors import PayloadError, SignatureError

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
REPOSITORY = {"full_name": "you/lab"}


def parse(kind: str, **payload: Any) -> events.Event:
    return events.parse(kind=kind, guid="72d3162e-cc78-11e3-81ab-4c9367dc0958", body=json.dumps(payload).encode())


def test_the_signature_is_the_one_in_github_s_documentation() -> None:
    assert events.sign(SECRET, BODY) == SIGNATURE
    events.verify(SECRET, BODY, SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        SIGNATURE[:-1],
        SIGNATURE + "0",
        SIGNATURE.upper(),
        SIGNATURE.removeprefix("sha256="),
        "sha1=3dca279e731c97c38e3019a075dee9ebbd0a99f0",
        "sha256=ü",
        "sha256=\udcff",
    ],
)
def test_any_other_signature_is_refused(signature: str | None) -> None:
    with pytest.raises(SignatureError):
        events.verify(SECRET, BODY, signature)


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(SignatureError):
        events.verify("", BODY, events.sign("", BODY))


@settings(deadline=None)
@given(secret=st.text(min_size=1), body=st.binary())
def test_what_we_sign_we_accept(secret: str, body: bytes) -> None:
    events.verify(secret, body, events.sign(secret, body))


def test_an_issue_is_its_own_experiment() -> None:
    event = parse("issues", action="labeled", issue={"number": 12}, repository=REPOSITORY)
    assert event == events.Event("issues", "labeled", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "you/lab", 12, None)


def test_an_event_tells_who_did_it() -> None:
    issue = {"number": 12}
    by_us = parse("issues", issue=issue, repository=REPOSITORY, sender={"login": "trainwright[bot]", "type": "Bot"})
    assert by_us.sender == "trainwright[bot]"
    assert parse("issues", issue=issue, repository=REPOSITORY).sender == ""
    assert parse("issues", issue=issue, repository=REPOSITORY, sender=None).sender == ""


def test_a_comment_on_an_issue_is_about_that_experiment() -> None:
    event = parse("issue_comment", action="created", issue={"number": 12}, repository=REPOSITORY)
    assert (event.experiment, event.thread) == (12, None)


def test_a_comment_on_a_pull_request_tells_its_thread_only() -> None:
    issue = {"number": 14, "pull_request": {"url": "https://api.github.com/repos/you/lab/pulls/14"}}
    event = parse("issue_comment", action="created", issue=issue, repository=REPOSITORY)
    assert (event.experiment, event.thread) == (None, 14)


@pytest.mark.parametrize("kind", ["pull_request", "pull_request_review", "pull_request_review_comment"])
@pytest.mark.parametrize(
    ("branch", "experiment"),
    [("experiment/12/run-3", 12), ("experiment/12/report-4", 12), ("main", None), ("experiment/x/run-1", None)],
)
def test_a_pull_request_belongs_to_the_experiment_in_its_branch(kind: str, branch: str, experiment: int | None) -> None:
    event = parse(kind, action="closed", pull_request={"number": 14, "head": {"ref": branch}}, repository=REPOSITORY)
    assert (event.experiment, event.thread) == (experiment, None)


@pytest.mark.parametrize(
    ("title", "experiment"), [("Train #14 9fceb02 12.3.0a1b2c3d4e5f.1", 12), ("Update README", None), ("", None)]
)
def test_a_workflow_run_tells_its_experiment_by_the_last_word_of_its_title(title: str, experiment: int | None) -> None:
    event = parse("workflow_run", action="completed", workflow_run={"display_title": title}, repository=REPOSITORY)
    assert (event.experiment, event.thread) == (experiment, None)


@pytest.mark.parametrize("kind", ["push", "check_run", "workflow_job", "installation", "star"])
def test_other_events_lead_nowhere(kind: str) -> None:
    event = parse(kind, action="created", repository=REPOSITORY)
    assert (event.lab, event.experiment, event.thread) == ("you/lab", None, None)


def test_a_ping_has_neither_lab_nor_action() -> None:
    event = parse("ping", zen="Keep it logically awesome.", hook={"app_id": 7})
    assert (event.kind, event.action, event.lab, event.experiment) == ("ping", "", "", None)


def test_a_repository_that_is_null_is_none() -> None:
    assert parse("ping", repository=None).lab == ""


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("issues", {"repository": REPOSITORY}),
        ("issues", {"issue": {"number": 12}}),
        ("issues", {"issue": [], "repository": REPOSITORY}),
        ("issues", {"issue": {"number": "12"}, "repository": REPOSITORY}),
        ("issues", {"issue": {"number": True}, "repository": REPOSITORY}),
        ("issues", {"issue": {"number": 0}, "repository": REPOSITORY}),
        ("issues", {"issue": {"number": 12.5}, "repository": REPOSITORY}),
        ("issues", {"issue": {"number": 12}, "repository": {"full_name": "you"}}),
        ("issues", {"issue": {"number": 12}, "repository": {"full_name": "you/../lab"}}),
        ("issues", {"issue": {"number": 12}, "repository": {"full_name": "you/.."}}),
        ("issues", {"issue": {"number": 12}, "repository": {"full_name": "you/lab\n"}}),
        ("issues", {"issue": {"number": 12}, "repository": "you/lab"}),
        ("issues", {"issue": {"number": 12}, "repository": REPOSITORY, "action": {}}),
        ("issues", {"issue": {"number": 12}, "repository": REPOSITORY, "action": 'a"} 1'}),
        ("issues", {"issue": {"number": 12}, "repository": REPOSITORY, "sender": "you"}),
        ("issues", {"issue": {"number": 12}, "repository": REPOSITORY, "sender": {"login": 7}}),
        ("pull_request", {"pull_request": {"head": {"ref": None}}, "repository": REPOSITORY}),
        ("pull_request", {"pull_request": {"head": None}, "repository": REPOSITORY}),
        ("workflow_run", {"workflow_run": None, "repository": REPOSITORY}),
        ("workflow_run", {"workflow_run": {"display_title": 7}, "repository": REPOSITORY}),
    ],
)
def test_what_github_does_not_send_is_refused(kind: str, payload: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse(kind, **payload)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"action": ' + b"9" * 5000 + b"}", b"[" * 100_000]
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        events.parse(kind="issues", guid="1", body=body)


@pytest.mark.parametrize(
    ("kind", "guid"), [("", "1"), ("Issues!", "1"), ("issues\n", "1"), ("ping", ""), ("ping", "a b")]
)
def test_odd_headers_are_refused(kind: str, guid: str) -> None:
    with pytest.raises(PayloadError):
        events.parse(kind=kind, guid=guid, body=b"{}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "action": JSON,
        "repository": st.fixed_dictionaries({"full_name": JSON | st.just("you/lab")}) | JSON,
        "sender": st.fixed_dictionaries({"login": JSON | st.just("you")}) | JSON,
        "issue": st.fixed_dictionaries({"number": JSON}, optional={"pull_request": JSON}) | JSON,
        "pull_request": st.fixed_dictionaries({"head": st.fixed_dictionaries({"ref": JSON}) | JSON}) | JSON,
        "workflow_run": st.fixed_dictionaries({"display_title": JSON}) | JSON,
    },
)
KINDS = st.sampled_from(["issues", "issue_comment", "pull_request", "workflow_run", "ping"]) | st.text(max_size=20)


@settings(deadline=None)
@given(kind=KINDS, guid=st.text(max_size=20), body=PAYLOADS.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_parsing_gives_an_event_or_a_payload_error(kind: str, guid: str, body: bytes) -> None:
    try:
        event = events.parse(kind=kind, guid=guid, body=body)
    except PayloadError:
        return
    assert event.lab or not (event.experiment or event.thread)


def test_branches() -> None:
    assert events.branch_of(12, "7a") == "experiment/12/run-7a"
    assert events.report_branch(12, "8") == "experiment/12/report-8"
    assert events.branches_of(12) == "experiment/12/"


@settings(deadline=None)
@given(issue=st.integers(1, 10**10 - 1), run=st.from_regex(r"[1-9][0-9]{0,3}[a-z]?", fullmatch=True))
def test_a_branch_leads_back_to_its_experiment(issue: int, run: str) -> None:
    assert events.experiment_of(events.branch_of(issue, run)) == issue
    assert events.experiment_of(events.report_branch(issue, run)) == issue
    for branch in (events.branch_of(issue, run), events.report_branch(issue, run)):
        assert branch.startswith(events.branches_of(issue))


@pytest.mark.parametrize(
    "branch", ["", "experiment/12", "experiment/12/", "experiment/0/run-1", "x/experiment/12/run-1"]
)
def test_other_branches_belong_to_no_experiment(branch: str) -> None:
    assert events.experiment_of(branch) is None


@settings(deadline=None)
@given(
    issue=st.integers(1, 10**10 - 1),
    run=st.from_regex(r"[1-9][0-9]{0,3}[a-z]?", fullmatch=True),
    inputs=st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    ordinal=st.integers(1, 99),
)
def test_a_request_is_read_back_from_a_title(issue: int, run: str, inputs: str, ordinal: int) -> None:
    name = events.request_name(issue, run, inputs, ordinal)
    assert events.parse_request(f"Train #14 9fceb02 {name}") == events.Request(issue, run, inputs[:12], ordinal)


@pytest.mark.parametrize(
    "text",
    [
        "12.3.0a1b2c3d4e5f.1 and more",
        "12.3.0a1b2c3d4e5.1",
        "12.3.0A1B2C3D4E5F.1",
        "12.03.0a1b2c3d4e5f.1",
        "١٢.3.0a1b2c3d4e5f.1",
        "12.3.0a1b2c3d4e5f",
        "   ",
    ],
)
def test_other_titles_are_no_request(text: str) -> None:
    assert events.parse_request(text) is None


@settings(deadline=None)
@given(st.text())
def test_any_title_and_branch_may_be_asked(text: str) -> None:
    assert events.parse_request(text) is None or "." in text
    assert events.experiment_of(text) is None or text.startswith("experiment/")
