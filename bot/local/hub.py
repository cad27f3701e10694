"""The stand-in's one set of actions, for its REST and for its pages: whatever changes, changes here.

Each action checks the permission, keeps the change, and tells the apps by webhook.

    hub.issues   open, edit, close and reopen, label, assign, comment, react
    hub.pulls    open, edit, merge, review, files
    hub.refs     create, move and delete branches, edit one file
    hub.checks   create and update check runs
    hub.jobs     dispatch, cancel and re-run workflows; live logs
    hub.accounts users, apps, installations, tokens, repositories, permissions
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.local.access import Access
from bot.local.accounts import Accounts
from bot.local.answers import Answers
from bot.local.checks import Checks
from bot.local.issues import Issues
from bot.local.jobs import Jobs
from bot.local.notices import Notices
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

    @classmethod
    def assemble(
        cls, folder: Path, *, store: Store, courier: Courier, url: str, runners: int, environment: Mapping[str, str]
    ) -> "Hub":
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
            accounts=Accounts(folder, store, repos, notices),
            issues=issues,
            pulls=Pulls(store, repos, access, notices, issues, refs),
            refs=refs,
            checks=Checks(store, repos, access, notices),
            jobs=Jobs(folder, store, repos, access, notices, url=url, runners=runners, environment=environment),
        )
