"""What every route of the REST shares: who calls, which repository, pages of a list, conditional requests, errors."""

import hashlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from bot.local.access import Actor
from bot.local.answers import Answers
from bot.local.answers_base import Json
from bot.local.faults import Faults
from bot.local.hub import Hub
from bot.local.refusals import Invalid, NotFound, Refusal, Unauthorized
from bot.local.rows import App, Repository

T = TypeVar("T")

DOCUMENTATION = "https://docs.github.com/rest"


class Route(APIRoute):
    """Every answer passes here: what GitHub does to all of them is done here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def conditional(request: Request) -> Response:
            response = await answer(request)
            if request.method != "GET" or response.status_code != 200:
                return response
            tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
            if request.headers.get("if-none-match") == tag:
                return Response(status_code=304, headers={"ETag": tag})
            response.headers["ETag"] = tag
            return response

        return conditional


def new_router(prefix: str = "") -> APIRouter:
    return APIRouter(prefix=prefix, route_class=Route)


@dataclass(frozen=True)
class Visit:
    """A call about one repository that its caller may read."""

    hub: Hub
    actor: Actor
    repo: Repository
    request: Request

    @property
    def answers(self) -> Answers:
        return self.hub.answers

    @property
    def faults(self) -> Faults:
        """None for persons."""
        return self.hub.faults if self.actor.app else Faults()


def the_hub(request: Request) -> Hub:
    hub = request.app.state.hub
    assert isinstance(hub, Hub)
    return hub


def _credentials(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token:
        raise Unauthorized("Requires authentication")
    if scheme.lower() not in ("token", "bearer"):
        raise Unauthorized
    return token.strip()


def calling_actor(request: Request) -> Actor:
    return the_hub(request).accounts.actor_of_token(_credentials(request))


def calling_app(request: Request) -> App:
    return the_hub(request).accounts.app_of_jwt(_credentials(request))


def visit(request: Request, owner: str, repository: str) -> Visit:
    hub, actor = the_hub(request), calling_actor(request)
    repo = hub.accounts.repository(owner, repository)
    if not hub.access.sees(actor, repo):
        raise NotFound
    return Visit(hub, actor, repo, request)


def as_listed(here: Annotated[Visit, Depends(visit)]) -> Iterator[Hub]:
    """Where an app's lists are read, which lag behind; what a path names is looked for in the present."""
    if here.faults.lag > 0:
        with here.hub.past.view() as (store, moment):
            yield here.hub.back_in(store, at=moment)
    else:
        yield here.hub


def visit_by_id(request: Request, repository_id: int) -> Visit:
    """Where a transferred issue's 301 leads."""
    repo = the_hub(request).store.get(Repository, id=repository_id)
    return visit(request, repo.owner, repo.name)


TheHub = Annotated[Hub, Depends(the_hub)]
Caller = Annotated[Actor, Depends(calling_actor)]
CallingApp = Annotated[App, Depends(calling_app)]
Here = Annotated[Visit, Depends(visit)]
HereById = Annotated[Visit, Depends(visit_by_id)]
Listed = Annotated[Hub, Depends(as_listed)]


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for, and where the answer's Link header goes."""

    request: Request
    response: Response
    number: int
    size: int

    def cut(self, items: Sequence[T]) -> Sequence[T]:
        last = max(1, -(-len(items) // self.size))
        links = {"prev": self.number - 1, "next": self.number + 1, "last": last, "first": 1}
        shown = [name for name in links if (self.number > 1 if name in ("prev", "first") else self.number < last)]
        if shown:
            self.response.headers["Link"] = ", ".join(f'<{self._url(links[name])}>; rel="{name}"' for name in shown)
        start = (self.number - 1) * self.size
        return items[start : start + self.size]

    def _url(self, number: int) -> str:
        query = {**self.request.query_params, "page": number, "per_page": self.size}
        return f"{str(self.request.url).partition('?')[0]}?{urlencode(query)}"


def asked_page(request: Request, response: Response, page: int = 1, per_page: int = 30) -> Page:
    return Page(request, response, max(page, 1), min(max(per_page, 1), 100))


Paging = Annotated[Page, Depends(asked_page)]


def in_order(items: Sequence[T], *, key: Callable[[T], tuple[datetime | int, int]], direction: str) -> list[T]:
    return sorted(items, key=key, reverse=direction != "asc")


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    body: Json = {"message": error.message, "documentation_url": DOCUMENTATION, "status": str(error.status)}
    if isinstance(error, Invalid) and (error.field or error.resource):
        details = {"resource": error.resource, "field": error.field, "code": error.code, "message": error.message}
        body |= {"message": Invalid.said, "errors": [details]}
    return JSONResponse(body, status_code=error.status)


def _not_valid(request: Request, error: Exception) -> Response:
    """A path that is no number is nowhere; a body that does not fit is told where."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["loc"][0] == "path":
        return _refused(request, NotFound())
    if first["type"] == "json_invalid":
        return _refused(request, Refusal())
    where = ".".join(str(part) for part in first["loc"][1:])
    return _refused(request, Invalid(f"Invalid request. {where}: {first['msg']}"))
