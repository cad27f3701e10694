"""What every page shares: who looks, at which repository, how an answer is written, what a refusal looks like."""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.local.access import ROLES, Actor
from bot.local.git import Git
from bot.local.hub import Hub
from bot.local.pages.guard import refuse_foreign_form
from bot.local.pages.markup import Place, comment_place, render
from bot.local.pages.words import FILTERS, next_step, title_of
from bot.local.refusals import NotFound, Refusal
from bot.local.rows import CheckRun, Issue, PullRequest, Repository, User

FOLDER = Path(__file__).parent.parent
STATIC = "/-/static"
COOKIE = "user"
DEFAULT_USER = "you"

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Vary": "Cookie",
}


@dataclass(frozen=True)
class Visit:
    """Someone looks at a repository."""

    hub: Hub
    request: Request
    actor: Actor
    repo: Repository

    @property
    def base(self) -> str:
        return f"/{self.repo.full_name}"

    @property
    def git(self) -> Git:
        return self.hub.repos.git(self.repo)

    def may(self, role: str) -> bool:
        return ROLES.index(self.hub.access.role(self.actor.login, self.repo)) >= ROLES.index(role)

    @cached_property
    def place(self) -> Place:
        people = frozenset(user.login for user in self.hub.store.all(User))
        newest = self.hub.store.all(Issue, newest_first=True, repo_id=self.repo.id)
        return comment_place(self.base, people=people, last_number=max((one.number for one in newest), default=0))

    def comment(self, text: str | None) -> Markup:
        return render(text or "", self.place)

    def open_counts(self) -> dict[str, int]:
        still = self.hub.store.all(Issue, repo_id=self.repo.id, state="open")
        return {"issues": sum(not one.is_pull for one in still), "pulls": sum(one.is_pull for one in still)}

    def head_check(self, pull: PullRequest) -> CheckRun | None:
        checks = self.hub.checks.of_commit(self.repo, pull.head_sha)
        return checks[-1] if checks else None


class Shell:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._static = _fingerprint(FOLDER / "static")

    def routes(self) -> APIRouter:
        return APIRouter(route_class=_guarded(self), include_in_schema=False, default_response_class=HTMLResponse)

    # Who and where

    def people(self) -> list[User]:
        return [user for user in self.hub.store.all(User) if not user.is_bot]

    def actor(self, request: Request) -> Actor:
        logins = [user.login for user in self.people()]
        wanted = request.cookies.get(COOKIE, DEFAULT_USER)
        if wanted not in logins:
            wanted = DEFAULT_USER if DEFAULT_USER in logins or not logins else logins[0]
        return Actor(wanted)

    def visit(self, request: Request, owner: str, name: str) -> Visit:
        repo = self.hub.store.find(Repository, owner=owner, name=name)
        actor = self.actor(request)
        if repo is None or not self.hub.access.sees(actor, repo):
            raise NotFound(f"There is no repository {owner}/{name} here.")
        return Visit(self.hub, request, actor, repo)

    def visible(self, request: Request) -> list[Repository]:
        actor = self.actor(request)
        return [repo for repo in self.hub.store.all(Repository) if self.hub.access.sees(actor, repo)]

    # Answers

    def page(self, visit: Visit, template: str, /, *, status: int = 200, **values: object) -> Response:
        """One of the repository's pages."""
        return self.show(
            visit.request, template, status=status, visit=visit, repo=visit.repo, base=visit.base, **values
        )

    def show(self, request: Request, template: str, /, *, status: int = 200, **values: object) -> Response:
        shared = {
            "me": self.actor(request).login,
            "people": [user.login for user in self.people()],
            "here": request.url.path,
            "static": f"{STATIC}/{self._static}",
            "visit": None,
        }
        html = self._templates.get_template(template).render({**shared, **values})
        tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
        headers = {**HEADERS, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(html, status_code=status, headers=headers)

    def problem(self, request: Request, refusal: Refusal) -> Response:
        status = refusal.status
        return self.show(
            request,
            "problem.html",
            status=status,
            title=title_of(status),
            status_code=status,
            message=str(refusal),
            advice=next_step(refusal, me=self.actor(request).login),
            repositories=self.visible(request),
        )


def back_to(url: str) -> Response:
    """After a form: the browser asks for the page anew, and a reload repeats nothing."""
    return RedirectResponse(url, status_code=303, headers=HEADERS)


def plain_lines(text: str) -> str:
    """Browsers send a text area's line ends as CR LF."""
    return text.replace("\r\n", "\n")


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _guarded(shell: Shell) -> type[APIRoute]:
    class Guarded(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    refuse_foreign_form(request)
                    return await inner(request)
                except Refusal as refusal:
                    return shell.problem(request, refusal)
                except RequestValidationError:
                    return shell.problem(request, NotFound("There is no such page."))

            return handle

    return Guarded


def _fingerprint(folder: Path) -> str:
    """In the address of the style sheet, so that a browser never keeps an old one."""
    content = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    return hashlib.sha256(content).hexdigest()[:12]
