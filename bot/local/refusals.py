"""GitHub's refusals, as the REST answers them and the pages show them.

Refusal
├── Unauthorized  401   no token, or a wrong one
├── Forbidden     403   a token without the permission
├── NotFound      404
│   └── Moved         a transferred issue; the issue itself, not what belongs to it, redirects by 301
├── NotAllowed    405   not mergeable
├── Conflict      409   the head has moved
├── Gone          410   an expired artifact, a deleted issue
├── Invalid       422   with the field where there is one
└── NotBuilt      501   a route that the stand-in does not have
"""

from bot.errors import TrainwrightError


class Refusal(TrainwrightError):  # noqa: N818 (GitHub says no; nothing went wrong here)
    status = 400
    said = "Problems parsing JSON"

    def __init__(self, message: str = "") -> None:
        self.message = message or self.said
        super().__init__(self.message)


class Unauthorized(Refusal):
    status, said = 401, "Bad credentials"


class Forbidden(Refusal):
    status, said = 403, "Resource not accessible by personal access token"


class NotFound(Refusal):
    status, said = 404, "Not Found"


class Moved(NotFound):
    """Its repository's id and its number there."""

    def __init__(self, repo_id: int, number: int) -> None:
        super().__init__()
        self.repo_id, self.number = repo_id, number


class NotAllowed(Refusal):
    status, said = 405, "Pull Request is not mergeable"


class Conflict(Refusal):
    status, said = 409, "Head branch was modified. Review and try the merge again."


class Gone(Refusal):
    status, said = 410, "Gone"


class Invalid(Refusal):
    """`resource`, `field` and `code` go into GitHub's list of errors."""

    status, said = 422, "Validation Failed"

    def __init__(self, message: str = "", *, resource: str = "", field: str = "", code: str = "invalid") -> None:
        super().__init__(message)
        self.resource, self.field, self.code = resource, field, code


class NotBuilt(Refusal):
    status, said = 501, "Not Implemented"
