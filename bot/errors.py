"""Every error that the bot raises on purpose.

TrainwrightError
├── SettingsError             the environment or a command-line option: names the key
├── LabConfigError            a lab's .github/trainwright.yml: names the line's key and what was expected
├── GitHubError               what GitHub answered, translated by the gateway
│   ├── NotFound              404, 410: gone, or not ours to see
│   ├── Refused               401, 403, 422: asking again will not help
│   ├── Moved                 a ref is no longer where we read it: look again
│   ├── Lagging               a write that GitHub does not show yet: look again in some seconds
│   └── Unavailable           5xx, rate limit, no connection: look again later
├── LedgerError               the bot's own database cannot be used now: look again later
├── ModelError                a model call that gave no reply
│   └── Declined              the model says that it cannot do what was asked
├── ReplyError                a reply, even asked for again, lacks what the prompt named
├── ArtifactError             an artifact that is missing, broken or hostile
├── DocumentError             a record or document in the lab that cannot be read
└── WebhookError              a delivery that is refused
    ├── SignatureError        not signed with our secret
    └── PayloadError          signed, yet not what GitHub sends
"""


class TrainwrightError(Exception):
    """Its text is a sentence for a person."""


class SettingsError(TrainwrightError):
    pass


class LabConfigError(TrainwrightError):
    pass


class GitHubError(TrainwrightError):
    pass


class NotFound(GitHubError):  # noqa: N818 (the word a maintainer would use)
    pass


class Refused(GitHubError):  # noqa: N818
    pass


class Moved(GitHubError):  # noqa: N818
    pass


class Lagging(GitHubError):  # noqa: N818
    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Unavailable(GitHubError):  # noqa: N818
    """`seconds` is how long GitHub asks to keep still, if it does."""

    def __init__(self, message: str, *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class LedgerError(TrainwrightError):
    pass


class ModelError(TrainwrightError):
    pass


class Declined(ModelError):  # noqa: N818
    pass


class ReplyError(TrainwrightError):
    """`complaints` are the exact sentences that the model gets when it is asked once more."""

    def __init__(self, *complaints: str) -> None:
        super().__init__(" ".join(complaints))
        self.complaints = complaints


class ArtifactError(TrainwrightError):
    pass


class DocumentError(TrainwrightError):
    pass


class WebhookError(TrainwrightError):
    pass


class SignatureError(WebhookError):
    pass


class PayloadError(WebhookError):
    pass
