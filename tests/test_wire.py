"""How requests travel: answers that have not changed, tokens that are revoked, limits, errors of ours."""

from collections.abc import Iterator

import pytest
import requests
from github import BadCredentialsException, GithubException, RateLimitExceededException, UnknownObjectException

from bot.errors import GitHubError, Moved, NotFound, Refused, Unavailable
from bot.local.faults import Answer, Call, Cut
from bot.wire import LIMITS_IN_A_ROW, SOON, Wire, Wires, translated
from tests.lab import Lab
from tests.story import LAB

ISSUE = f"/repos/{LAB}/issues"
LIMITED = 7.0
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.end()


def connected(lab: Lab, *, limited: float) -> Iterator[Wire]:
    wires = Wires(
        api_url=lab.github.api_url,
        app_id=str(lab.key.app_id),
        private_key=lab.key.private_key,
        pace=False,
        limited=limited,
    )
    [installation] = wires.app.all("/app/installations")
    yield wires.installation(installation["id"])
    wires.close()


@pytest.fixture
def wire(lab: Lab) -> Iterator[Wire]:
    yield from connected(lab, limited=LIMITED)


@pytest.fixture
def hasty(lab: Lab) -> Iterator[Wire]:
    """For which limits pass at once."""
    yield from connected(lab, limited=0.01)


# Answers that have not changed


def test_an_answer_that_has_not_changed_is_not_sent_again(lab: Lab, wire: Wire) -> None:
    path = f"{ISSUE}/{lab.issue()}"
    with lab.calls() as calls:
        first, again = wire.get(path), wire.get(path)
        lab.ada.edit_issue(first["number"], title="Another")
        changed = wire.get(path)
    assert first == again
    assert changed["title"] == "Another"
    assert [call.status for call in calls if call.path == path] == [200, 304, 200]


def test_other_parameters_are_another_answer(lab: Lab, wire: Wire) -> None:
    lab.issue("wanted")
    with lab.calls() as calls:
        assert len(wire.get(ISSUE, labels="wanted")) == 1
        assert wire.get(ISSUE, labels="unwanted") == []
        assert wire.get(ISSUE, labels="unwanted") == []
    assert [call.status for call in calls if "/issues" in call.path] == [200, 200, 304]


def test_what_is_asked_with_an_etag_tells_whether_it_changed(lab: Lab, wire: Wire) -> None:
    path = f"{ISSUE}/{lab.issue()}"
    etag, data = wire.changed(path, "")
    assert data["title"] == "Fit it"
    assert wire.changed(path, etag) == (etag, None)
    assert wire.changed(path, '"old"')[1] == data


def test_every_page_is_conditional(lab: Lab, wire: Wire) -> None:
    number = lab.issue()
    for index in range(100):
        lab.gateway.comment(number, f"{index}")
    path = f"{ISSUE}/{number}/comments"
    with lab.calls() as calls:
        for _ in range(2):
            assert len(list(wire.all(path))) == 100
        lab.gateway.comment(number, "100")
        assert [comment["body"] for comment in wire.all(path)] == [f"{index}" for index in range(101)]
    pages = [call.status for call in calls if call.method == "GET" and "/comments" in call.path]
    assert pages == [200, 200, 304, 304, 304, 200]


# Tokens


def test_a_token_that_was_revoked_is_replaced(lab: Lab, wire: Wire) -> None:
    path = f"{ISSUE}/{lab.issue()}"
    wire.get(path)
    lab.revoke_tokens()
    with lab.calls() as calls:
        wire.post(f"{path}/comments", body="Once.")
    assert [(call.path.rsplit("/", 1)[1], call.status) for call in calls] == [
        ("comments", 401),
        ("access_tokens", 201),
        ("comments", 201),
    ]
    assert [comment["body"] for comment in wire.all(f"{path}/comments")] == ["Once."]


def test_a_token_is_replaced_once_and_then_it_is_refused(lab: Lab, wire: Wire) -> None:
    bad = {"message": "Bad credentials"}
    path = f"{ISSUE}/{lab.issue()}"
    with lab.calls() as calls, lab.answering(path, *[Answer(401, bad)] * 2), pytest.raises(Refused, match="401"):
        wire.get(path)
    assert [call.status for call in calls if call.path == path] == [401, 401]


# Limits


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (403, SECONDARY, {}, LIMITED),
        (403, SECONDARY, {"Retry-After": "30"}, 30.0),
        (429, SECONDARY, {"Retry-After": "30"}, 30.0),
        (429, SECONDARY, {}, LIMITED),
        (429, {"message": "Slow down."}, {}, LIMITED),
        (403, {"message": "API rate limit exceeded for installation ID 1."}, {}, LIMITED),
        (403, {"message": "Wait."}, {"Retry-After": "9"}, 9.0),
        (403, SECONDARY, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, LIMITED),
    ],
)
@pytest.mark.parametrize("verb", ["get", "post"])
def test_a_long_limit_is_told_with_its_seconds_and_nothing_is_asked_until_then(
    lab: Lab, wire: Wire, verb: str, status: int, body: dict[str, str], headers: dict[str, str], seconds: float
) -> None:
    with lab.calls() as calls, lab.answering(ISSUE, Answer(status, body, headers)):
        for _ in range(2):
            with pytest.raises(Unavailable, match="rate limit is used up") as caught:
                getattr(wire, verb)(ISSUE)
            assert seconds - SOON < caught.value.seconds <= seconds
    assert [call.status for call in calls if ISSUE in call.path] == [status]


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_that_passes_soon_is_waited_for(lab: Lab, hasty: Wire, status: int) -> None:
    path = f"{ISSUE}/{lab.issue()}/comments"
    limits = [Answer(status, SECONDARY)] * (LIMITS_IN_A_ROW - 1)
    with lab.answering(path, *limits):
        assert hasty.post(path, body="Once.")["body"] == "Once."
    with lab.answering(path, *limits):
        assert [comment["body"] for comment in hasty.all(path)] == ["Once."]


def test_a_limit_that_does_not_pass_is_told(lab: Lab, hasty: Wire) -> None:
    path = f"{ISSUE}/{lab.issue()}"
    limits = [Answer(429, SECONDARY)] * LIMITS_IN_A_ROW
    with lab.answering(path, *limits), pytest.raises(Unavailable, match="again and again") as caught:
        hasty.get(path)
    assert caught.value.seconds == 0.01
    assert hasty.get(path)["title"] == "Fit it"


def test_what_is_forbidden_is_no_limit(lab: Lab, wire: Wire) -> None:
    forbidden = Answer(403, {"message": "Resource not accessible by integration"})
    with lab.answering(ISSUE, forbidden), pytest.raises(Refused, match="not accessible by integration"):
        wire.get(ISSUE)


# What is asked again at once

TROUBLES = [Answer(502, "<html>"), Answer(500, {"message": "Oops"}), Cut()]


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
def test_a_read_that_failed_is_asked_again(lab: Lab, wire: Wire, trouble: Exception) -> None:
    path = f"{ISSUE}/{lab.issue()}"
    left = [trouble]

    def fail(call: Call) -> None:
        if left and call.path == path:
            raise left.pop()

    with lab.before(fail):
        assert wire.get(path)["title"] == "Fit it"
    assert not left


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
@pytest.mark.parametrize("verb", ["post", "patch", "delete"])
def test_a_write_is_sent_once(lab: Lab, wire: Wire, verb: str, trouble: Exception) -> None:
    path = f"{ISSUE}/{lab.issue()}"
    wire.get(path)

    def fail(call: Call) -> None:
        raise trouble

    with lab.calls() as calls, lab.before(fail), pytest.raises(Unavailable) as caught:
        getattr(wire, verb)(path)
    assert len(calls) == 1
    assert caught.value.seconds == 0


def test_a_question_in_graphql_is_answered_or_refused(lab: Lab, wire: Wire) -> None:
    said = Answer(200, {"data": {"viewer": {"login": "trainwright"}}})
    with lab.answering("POST /graphql", said):
        assert wire.graphql("query{viewer{login}}") == {"viewer": {"login": "trainwright"}}
    with (
        lab.answering("POST /graphql", Answer(200, {"errors": [{"message": "No such field"}], "data": None})),
        pytest.raises(GitHubError, match="No such field"),
    ):
        wire.graphql("query{nothing}")


@pytest.mark.parametrize(("status", "ours"), [(404, NotFound), (410, NotFound), (403, Refused)])
def test_where_nothing_redirects_to_is_an_error(lab: Lab, wire: Wire, status: int, ours: type[GitHubError]) -> None:
    with lab.answering(ISSUE, Answer(status, {"message": "Gone"})), pytest.raises(ours, match="Gone"):
        wire.location(ISSUE)


def test_a_redirect_is_told_and_not_followed(lab: Lab, wire: Wire) -> None:
    with lab.answering(ISSUE, Answer(302, "", {"Location": "http://127.0.0.1:9/a?b=c"})):
        assert wire.location(ISSUE) == "http://127.0.0.1:9/a?b=c"


def test_a_token_revoked_before_a_redirect_is_replaced_too(lab: Lab, wire: Wire) -> None:
    wire.get(f"{ISSUE}/{lab.issue()}")
    elsewhere = Answer(302, "", {"Location": "http://127.0.0.1:9/a?b=c"})
    with lab.answering(ISSUE, Answer(401, {"message": "Bad credentials"}), elsewhere):
        assert wire.location(ISSUE) == "http://127.0.0.1:9/a?b=c"


def test_an_answer_that_leads_nowhere_is_an_error(lab: Lab, wire: Wire) -> None:
    with lab.answering(ISSUE, Answer(200, {})), pytest.raises(Unavailable, match="where"):
        wire.location(ISSUE)


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
    with pytest.raises(ours) as caught, translated(LIMITED):
        raise error
    assert type(caught.value) is ours


def test_what_github_says_is_told_with_its_details() -> None:
    data = {"message": "Validation Failed", "errors": [{"message": "Reference already exists"}, {"code": "x"}, "y"]}
    with (
        pytest.raises(Refused, match=r"^GitHub answered 422: Validation Failed; Reference already exists$"),
        translated(LIMITED),
    ):
        raise GithubException(422, data)


def test_what_is_not_github_s_passes() -> None:
    with pytest.raises(KeyError), translated(LIMITED):
        raise KeyError("ours")
