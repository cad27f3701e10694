"""Check runs on a commit, set by apps."""

from dataclasses import replace
from datetime import datetime

from bot.local.access import Access, Actor
from bot.local.notices import Notices
from bot.local.refusals import Forbidden, Invalid
from bot.local.repos import Repos
from bot.local.rows import CheckRun, Repository
from bot.local.store import Store

LONGEST_TEXT = 65_535
MOST_ANNOTATIONS = 50


class Checks:
    def __init__(self, store: Store, repos: Repos, access: Access, notices: Notices) -> None:
        self._store = store
        self._repos = repos
        self._access = access
        self._notices = notices

    def of_commit(self, repo: Repository, sha: str) -> list[CheckRun]:
        return self._store.all(CheckRun, repo_id=repo.id, head_sha=sha)

    def create(self, repo: Repository, wanted: CheckRun, *, actor: Actor) -> CheckRun:
        """`wanted` is the row as it shall be, still without id."""
        self._access.require(actor, repo)
        if actor.app is None:
            raise Forbidden("You must authenticate via a GitHub App.")
        if self._repos.git(repo).commit(wanted.head_sha) is None:
            raise Invalid(f"No commit found for SHA: {wanted.head_sha}", resource="CheckRun", field="head_sha")
        with self._store.transaction():
            check = self._store.add(self._completed(wanted))
            self._notices.check("created", repo, check, actor)
            if check.status == "completed":
                self._notices.check("completed", repo, check, actor)
        return check

    def update(self, repo: Repository, wanted: CheckRun, *, actor: Actor) -> CheckRun:
        with self._store.transaction():
            former = self._store.get(CheckRun, repo_id=repo.id, id=wanted.id)
            self._access.require(actor, repo)
            if actor.app_id != former.app_id:
                raise Forbidden(
                    "Invalid app_id `" + str(actor.app_id) + "` - check run can only be modified by its app"
                )
            check = self._store.save(self._completed(wanted))
            if check.status == "completed" and former.status != "completed":
                self._notices.check("completed", repo, check, actor)
        return check

    def _completed(self, check: CheckRun) -> CheckRun:
        """A conclusion completes it; times are filled in."""
        for name, text in (("summary", check.summary), ("text", check.text)):
            if text is not None and len(text) > LONGEST_TEXT:
                raise Invalid(f"Only {LONGEST_TEXT} characters are allowed", resource="CheckRun", field=name)
        now: datetime = self._store.now()
        if check.conclusion is not None:
            return replace(
                check,
                status="completed",
                started_at=check.started_at or now,
                completed_at=check.completed_at or now,
            )
        if check.status == "completed":
            raise Invalid("conclusion is required when completed", resource="CheckRun", field="conclusion")
        return replace(check, started_at=check.started_at or now)
