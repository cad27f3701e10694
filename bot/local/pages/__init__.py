"""The pages that a person uses in a browser, familiar to whoever knows GitHub's. All changes go through the hub.

shell.py         who looks, at what; how a page is answered; what a refusal looks like
guard.py         forms from other sites are refused
repositories.py  the list, a repository's front page, the user menu
listing.py       lists of issues and pull requests
issues.py        an issue, a new one by the lab's form (forms.py)
pulls.py         a pull request: conversation, commits, files, merge, review
conversation.py  what was said and done, in its order
code.py          files, folders, commits; changes.py: diffs; highlight.py: colours
actions.py       workflow runs with their logs
markup.py        Markdown; sanitise.py makes it harmless
words.py         small words and signs
"""

from fastapi import APIRouter

from bot.local.hub import Hub
from bot.local.pages.actions import ActionPages
from bot.local.pages.code import CodePages
from bot.local.pages.issues import IssuePages
from bot.local.pages.listing import ListPages
from bot.local.pages.pulls import PullPages
from bot.local.pages.repositories import RepositoryPages
from bot.local.pages.shell import Shell


def router(hub: Hub) -> APIRouter:
    """To be included after all other routes: it answers every address that nothing else knows."""
    shell = Shell(hub)
    pages = APIRouter()
    repositories = RepositoryPages(shell)
    for part in (
        repositories,
        ListPages(shell),
        IssuePages(shell),
        PullPages(shell),
        CodePages(shell),
        ActionPages(shell),
    ):
        pages.include_router(part.routes())
    pages.include_router(repositories.lost())
    return pages
