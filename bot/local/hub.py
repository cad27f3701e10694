"""The stand-in's one set of actions, for its REST and for its pages: whatever changes, changes here.

Each action checks the permission, keeps the change, and tells the apps by webhook.

    hub.issues   open, edit, close and reopen, label, assign, comment, react, delete, transfer
    hub.pulls    open, edit, merge, review, files
    hub.refs     create, move and delete branches, edit one file
    hub.checks   create and update check runs
    hub.jobs     dispatch, cancel and re-run workflows; live logs
    hub.accounts users, apps, installations, tokens, repositories, permissions
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.local.access import Access
from bot.local.accounts import Accounts
from bot.local.answers import Answers
from bot.local.checks import Checks
from bot.local.faults import Faults
from bot.local.issues import Issues
from bot.local.jobs import Jobs
from bot.local.notices import Notices
from bot.local.past import Past
from bot.local.pulls import Pulls
from bot.local.refs import Refs
from bot.local.repos import Repos
from bot.local.store import Store
from bot.local.webhooks import Courier


@dataclass(frozen=True)
class Hub:
    store: Store
    repos: Repos
    courier: Courier
    access: Access
    answers: Answers
    accounts: Accounts
    issues: Issues
    pulls: Pulls
    refs: Refs
    checks: Checks
    jobs: Jobs
    faults: Faults
    past: Past
    at: float = math.inf
    """The moment (time.monotonic) of which all is that it reads."""

    @classmethod
    def assemble(
        cls,
        folder: Path,
        *,
        store: Store,
        courier: Courier,
        url: str,
        runners: int,
        environment: Mapping[str, str],
        faults: Faults | None = None,
    ) -> "Hub":
        faults = faults or Faults()
        repos = Repos(folder / "repos")
        access = Access(store)
        answers = Answers(store, repos, access, url=url)
        notices = Notices(store, answers, courier)
        issues = Issues(store, access, notices)
        refs = Refs(store, repos, access, notices, issues)
        return cls(
            store=store,
            repos=repos,
            courier=courier,
            access=access,
            answers=answers,
            accounts=Accounts(folder, store, repos, notices, faults),
            issues=issues,
            pulls=Pulls(store, repos, access, notices, issues, refs),
            refs=refs,
            checks=Checks(store, repos, access, notices),
            jobs=Jobs(folder, store, repos, access, notices, url=url, runners=runners, environment=environment),
            faults=faults,
            past=Past(store, faults),
        )

    def back_in(self, store: Store, *, at: float) -> "Hub":
        """For reading in a past of its store."""
        access, notices = Access(store), Notices(store, self.answers, self.courier)
        issues = Issues(store, access, notices)
        return replace(
            self,
            at=at,
            store=store,
            access=access,
            answers=Answers(store, self.repos, access, url=self.answers.html),
            issues=issues,
            pulls=Pulls(store, self.repos, access, notices, issues, self.refs),
            checks=Checks(store, self.repos, access, notices),
        )
