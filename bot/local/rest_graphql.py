"""The one GraphQL query that somebody here asks, known by its shape: who edited an issue's body last, and when."""

import re
from typing import Any

from pydantic import BaseModel

from bot.local.answers_base import Json, maybe_stamp
from bot.local.refusals import NotFound, Refusal
from bot.local.rest_base import Caller, TheHub, new_router
from bot.local.rows import Issue

router = new_router()

EDITOR = """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) { lastEditedAt editor { login } }
  }
}
"""


class Question(BaseModel):
    query: str
    variables: dict[str, Any] = {}


class Variables(BaseModel):
    owner: str
    name: str
    number: int


@router.post("/graphql")
def graphql(actor: Caller, hub: TheHub, question: Question) -> Json:
    """200 whatever happens, as on GitHub: what is wrong is said under `errors`."""
    if _shape(question.query) != _shape(EDITOR):
        return _error("undefinedField", f"The stand-in for GitHub answers one query only:{EDITOR}")
    try:
        asked = Variables.model_validate(question.variables)
    except ValueError as error:
        return _error("INVALID_VARIABLES", f"Variables of type String!, String! and Int! were not as wanted: {error}")
    try:
        repo = hub.accounts.repository(asked.owner, asked.name)
        hub.access.require(actor, repo, role="read")
    except Refusal:
        said = f"Could not resolve to a Repository with the name '{asked.owner}/{asked.name}'."
        return _not_found({"repository": None}, said)
    try:
        issue = hub.issues.get(repo, asked.number)
        if issue.is_pull:
            raise NotFound
    except Refusal:
        said = f"Could not resolve to an Issue with the number of {asked.number}."
        return _not_found({"repository": {"issue": None}}, said)
    return {"data": {"repository": {"issue": _edit(issue)}}}


def _edit(issue: Issue) -> Json:
    """A bot's login is without [bot] here."""
    editor = {"login": issue.edited_by.removesuffix("[bot]")} if issue.edited_by else None
    return {"lastEditedAt": maybe_stamp(issue.edited_at), "editor": editor}


def _not_found(data: Json, said: str) -> Json:
    path = ["repository", *(["issue"] if data["repository"] else [])]
    error = {"type": "NOT_FOUND", "path": path, "locations": [{"line": 1, "column": 1}], "message": said}
    return {"data": data, "errors": [error]}


def _error(code: str, said: str) -> Json:
    return {"errors": [{"message": said, "locations": [{"line": 1, "column": 1}], "extensions": {"code": code}}]}


def _shape(query: str) -> list[str]:
    """Its words and signs, without the operation's name; commas mean nothing in GraphQL."""
    words = re.findall(r"\w+|[^\s\w,]", query)
    return words[:1] + words[words.index("(") :] if "(" in words else words
