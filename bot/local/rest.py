"""The REST of the stand-in: GitHub's dialect under /api/v3, and just the routes that somebody here calls.

GraphQL is at /api/graphql, as on GitHub Enterprise.
"""

from fastapi import APIRouter, Request

from bot.local import rest_actions, rest_apps, rest_checks, rest_git, rest_graphql, rest_issues, rest_pulls
from bot.local.refusals import NotBuilt
from bot.local.rest_base import new_router

PREFIX = "/api/v3"
GRAPHQL = "/api"
REPO = "/repos/{owner}/{repository}"
REPO_BY_ID = "/repositories/{repository_id}"
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def routes() -> APIRouter:
    api = APIRouter(prefix=PREFIX)
    api.include_router(rest_apps.router)
    for part in (rest_apps, rest_issues, rest_pulls, rest_checks, rest_git, rest_actions):
        api.include_router(part.in_repo, prefix=REPO)
    api.include_router(rest_issues.by_id, prefix=REPO_BY_ID)
    rest = new_router()
    rest.add_api_route("/{path:path}", _not_built, methods=METHODS)
    api.include_router(rest)
    whole = APIRouter()
    whole.include_router(rest_graphql.router, prefix=GRAPHQL)
    whole.include_router(api)
    return whole


def _not_built(request: Request, path: str) -> None:
    raise NotBuilt(f"The stand-in for GitHub has no route {request.method} /{path}")
