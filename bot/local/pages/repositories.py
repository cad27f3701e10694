"""The list of repositories, the front page of one, the user menu, static files, and addresses that lead nowhere."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from bot.local.pages.code import TreeView
from bot.local.pages.listing import list_rows
from bot.local.pages.markup import file_place, render
from bot.local.pages.shell import COOKIE, FOLDER, HEADERS, STATIC, Shell, back_to
from bot.local.refusals import Invalid, NotFound
from bot.local.rows import User

EXPERIMENT = "experiment"


class RepositoryPages:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def routes(self) -> APIRouter:
        routes = self._shell.routes()
        routes.add_api_route("/", self.home)
        routes.add_api_route(f"{STATIC}/{{version}}/{{file}}", self.static)
        routes.add_api_route("/-/user", self.act_as, methods=["POST"])
        routes.add_api_route("/{owner}/{name}", self.overview)
        return routes

    def lost(self) -> APIRouter:
        """Takes every address that no other route took, so it comes last."""
        routes = self._shell.routes()
        routes.add_api_route("/{path:path}", self.nowhere, methods=["GET", "POST"])
        return routes

    def home(self, request: Request) -> Response:
        repositories = self._shell.visible(request)
        if len(repositories) == 1:
            return RedirectResponse(f"/{repositories[0].full_name}", headers=HEADERS)
        return self._shell.show(request, "repositories.html", repositories=repositories)

    def static(self, version: str, file: str) -> Response:
        """`version` changes with the content, so a browser may keep it for ever."""
        found = FOLDER / "static" / file
        if found.parent != FOLDER / "static" or not found.is_file():
            raise NotFound("There is no such file.")
        return FileResponse(found, headers={"Cache-Control": "max-age=31536000, immutable", **_TYPED})

    def act_as(self, login: Annotated[str, Form()], back: Annotated[str, Form()] = "/") -> Response:
        user = self._shell.hub.store.find(User, login=login)
        if user is None or user.is_bot:
            raise Invalid(f"There is no person called {login} here.")
        answer = back_to(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")
        answer.set_cookie(COOKIE, login, httponly=True, samesite="strict")
        return answer

    def overview(self, request: Request, owner: str, name: str) -> Response:
        visit = self._shell.visit(request, owner, name)
        branch = visit.repo.default_branch
        tree = TreeView.read(visit, branch, "")
        readme = next((entry for entry in tree.entries if entry.name.lower() == "readme.md"), None) if tree else None
        text = visit.git.blob(f"{branch}:{readme.name}") if readme else None
        return self._shell.page(
            visit,
            "overview.html",
            tab="code",
            tree=tree,
            branch=branch,
            experiments=[row for row in list_rows(visit, pulls=False) if EXPERIMENT in row.issue.labels],
            pulls=[row for row in list_rows(visit, pulls=True) if row.issue.state == "open"],
            readme=render(text.decode(errors="replace"), file_place(visit.base, branch, "README.md")) if text else None,
        )

    def nowhere(self, path: str) -> Response:
        raise NotFound(f"There is no page at /{path}.")


_TYPED = {"X-Content-Type-Options": "nosniff"}
