"""Who acts, and what they may do in a repository."""

from dataclasses import dataclass
from datetime import datetime

from bot.local.refusals import Forbidden, NotFound
from bot.local.rows import App, Collaborator, Installation, Repository
from bot.local.store import Store

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
COARSE = {"maintain": "write", "triage": "read"}


@dataclass(frozen=True)
class Actor:
    """A person by their login, or an app by its installation."""

    login: str
    app: App | None = None
    installation: Installation | None = None
    repository_ids: tuple[int, ...] | None = None
    """What a narrowed installation token may touch."""
    expires_at: datetime | None = None

    @property
    def app_id(self) -> int | None:
        return self.app.id if self.app else None


class Access:
    def __init__(self, store: Store) -> None:
        self._store = store

    def role(self, login: str, repo: Repository) -> str:
        """What the permission API says: in a public repository everybody reads."""
        if login == repo.owner:
            return "admin"
        collaborator = self._store.find(Collaborator, repo_id=repo.id, login=login)
        if collaborator:
            return collaborator.role
        return "none" if repo.private else "read"

    def is_collaborator(self, login: str, repo: Repository) -> bool:
        return self._store.find(Collaborator, repo_id=repo.id, login=login) is not None

    def sees(self, actor: Actor, repo: Repository) -> bool:
        if actor.installation is None:
            return self.role(actor.login, repo) != "none"
        allowed = actor.installation.repository_ids if actor.repository_ids is None else actor.repository_ids
        return repo.id in allowed

    def require(self, actor: Actor, repo: Repository, *, role: str = "write") -> None:
        """404 for what they may not see, 403 for what they may not do."""
        if not self.sees(actor, repo):
            raise NotFound
        if actor.installation is None and ROLES.index(self.role(actor.login, repo)) < ROLES.index(role):
            raise Forbidden(f"{actor.login} needs {role} permission on {repo.full_name}.")
