"""An issue, a new one, and what pull requests share with issues: comments, labels, close and reopen, edit."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.datastructures import FormData

from bot.local.pages.conversation import Conversation, standing
from bot.local.pages.forms import FOLDER, Answers, FormError, IssueForm, compose, missing, read_form
from bot.local.pages.listing import label_hues, labels_of
from bot.local.pages.markup import file_place, render
from bot.local.pages.shell import Shell, Visit, back_to, plain_lines
from bot.local.refusals import Invalid, Moved, NotFound
from bot.local.rows import Issue, Label, Repository

OFFERED_LABELS = ("experiment", "paused")
"""The labels that matter to the bot can be set even where the lab does not have them yet."""

Text = Annotated[str, Form()]


async def submitted(request: Request) -> FormData:
    return await request.form()


class IssuePages:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._hub = shell.hub

    def routes(self) -> APIRouter:
        routes = self._shell.routes()
        issue = "/{owner}/{name}/issues/{number}"
        routes.add_api_route("/{owner}/{name}/issues/new", self.new)
        routes.add_api_route("/{owner}/{name}/issues/new", self.open, methods=["POST"])
        routes.add_api_route(issue, self.show)
        routes.add_api_route(f"{issue}/comment", self.comment, methods=["POST"])
        routes.add_api_route(f"{issue}/state", self.set_state, methods=["POST"])
        routes.add_api_route(f"{issue}/labels", self.set_label, methods=["POST"])
        routes.add_api_route(f"{issue}/edit", self.edit, methods=["POST"])
        return routes

    # A new one

    def new(self, request: Request, owner: str, name: str, template: str = "") -> Response:
        visit = self._shell.visit(request, owner, name)
        forms = _forms(visit)
        if not template:
            template = next(iter(forms), "blank")
        return self._new_page(visit, forms, template, title=forms[template].title if template in forms else "")

    def open(
        self,
        request: Request,
        owner: str,
        name: str,
        form: Annotated[FormData, Depends(submitted)],
        template: str = "blank",
    ) -> Response:
        visit = self._shell.visit(request, owner, name)
        forms = _forms(visit)
        title, body = _text(form, "title").strip(), plain_lines(_text(form, "body"))
        labels: tuple[str, ...] = ()
        answers = {key: tuple(plain_lines(str(value)) for value in form.getlist(key)) for key in form}
        if template in forms:
            lacking = [*([] if title else ["Title"]), *missing(forms[template], answers)]
            if lacking:
                said = f"Still needed: {', '.join(lacking)}."
                return self._new_page(visit, forms, template, title=title, answers=answers, complaint=said)
            body, labels = compose(forms[template], answers), _form_labels(visit, forms[template])
        issue = self._hub.issues.open(
            visit.repo, actor=visit.actor, title=title, body=body, labels=labels, by_form=bool(labels)
        )
        return back_to(f"{visit.base}/issues/{issue.number}")

    def _new_page(
        self,
        visit: Visit,
        forms: dict[str, IssueForm],
        template: str,
        *,
        title: str,
        answers: Answers | None = None,
        complaint: str = "",
    ) -> Response:
        if template != "blank" and template not in forms:
            raise NotFound(f"There is no issue form {template} on {visit.repo.default_branch}.")
        place = file_place(visit.base, visit.repo.default_branch, FOLDER)
        return self._shell.page(
            visit,
            "new_issue.html",
            status=422 if complaint else 200,
            tab="issues",
            forms=forms,
            template=template,
            form=forms.get(template),
            labels=_form_labels(visit, forms[template]) if template in forms else (),
            title=title,
            answers=answers or {},
            complaint=complaint,
            markdown=lambda text: render(text, place),
        )

    # One that is there

    def show(self, request: Request, owner: str, name: str, number: int) -> Response:
        visit = self._shell.visit(request, owner, name)
        try:
            issue = self._hub.issues.get(visit.repo, number)
        except Moved as moved:
            other = self._hub.store.get(Repository, id=moved.repo_id)
            return back_to(f"/{other.full_name}/issues/{moved.number}")
        if issue.is_pull:
            return back_to(f"{visit.base}/pull/{number}")
        conversation = Conversation(visit, issue)
        return self._shell.page(
            visit,
            "issue.html",
            tab="issues",
            issue=issue,
            standing=standing(issue, None),
            first=conversation.first_post(),
            entries=conversation.entries(),
            labels=labels_of(visit, issue),
            hues=label_hues(visit),
            offered=offered_labels(visit, issue),
            may_edit=may_edit(visit, issue),
        )

    def comment(
        self, request: Request, owner: str, name: str, number: int, body: Text = "", also: Text = ""
    ) -> Response:
        """`also` is `close` or `reopen` when the other button was pressed; then an empty comment is fine."""
        visit = self._shell.visit(request, owner, name)
        place = page_of(visit, self._hub.issues.get(visit.repo, number))
        if body.strip() or not also:
            said = self._hub.issues.comment(visit.repo, number, actor=visit.actor, body=plain_lines(body))
            place = f"{place}#issuecomment-{said.id}"
        if also:
            self._change_state(visit, number, also, reason=None)
        return back_to(place)

    def set_state(
        self, request: Request, owner: str, name: str, number: int, state: Text, reason: Text = "completed"
    ) -> Response:
        visit = self._shell.visit(request, owner, name)
        self._change_state(visit, number, state, reason=reason)
        return back_to(page_of(visit, self._hub.issues.get(visit.repo, number)))

    def set_label(
        self, request: Request, owner: str, name: str, number: int, add: Text = "", remove: Text = ""
    ) -> Response:
        visit = self._shell.visit(request, owner, name)
        if add:
            self._hub.issues.add_labels(visit.repo, number, actor=visit.actor, names=[add])
        if remove:
            self._hub.issues.remove_label(visit.repo, number, actor=visit.actor, name=remove)
        return back_to(page_of(visit, self._hub.issues.get(visit.repo, number)))

    def edit(self, request: Request, owner: str, name: str, number: int, title: Text, body: Text = "") -> Response:
        visit = self._shell.visit(request, owner, name)
        issue = self._hub.issues.edit(
            visit.repo, number, actor=visit.actor, title=title.strip(), body=plain_lines(body)
        )
        return back_to(page_of(visit, issue))

    def _change_state(self, visit: Visit, number: int, wanted: str, *, reason: str | None) -> None:
        issue = self._hub.issues.get(visit.repo, number)
        if wanted == "close":
            self._hub.issues.close(visit.repo, number, actor=visit.actor, reason=reason)
        elif wanted != "reopen":
            raise Invalid(f"{wanted} is no state of an issue.")
        elif issue.is_pull:
            self._hub.pulls.reopen(visit.repo, number, actor=visit.actor)
        else:
            self._hub.issues.reopen(visit.repo, number, actor=visit.actor)


def page_of(visit: Visit, issue: Issue) -> str:
    return f"{visit.base}/{'pull' if issue.is_pull else 'issues'}/{issue.number}"


def may_edit(visit: Visit, issue: Issue) -> bool:
    return visit.actor.login == issue.author or visit.may("triage")


def offered_labels(visit: Visit, issue: Issue) -> list[Label]:
    """What could still be added, by someone who may."""
    if not visit.may("triage"):
        return []
    known = {label.name: label for label in visit.hub.store.all(Label, repo_id=visit.repo.id)}
    for name in OFFERED_LABELS:
        known.setdefault(name, Label(repo_id=visit.repo.id, name=name))
    return [label for name, label in sorted(known.items()) if name not in issue.labels]


def _forms(visit: Visit) -> dict[str, IssueForm]:
    """The forms on the default branch by file name; one that cannot be read is left out, as on GitHub."""
    found = {}
    folder = visit.git.resolve(f"refs/heads/{visit.repo.default_branch}:{FOLDER}")
    for entry in (visit.git.tree(folder) or []) if folder else []:
        if entry.path.endswith((".yml", ".yaml")) and not entry.path.startswith("config."):
            try:
                found[entry.path] = read_form((visit.git.blob(entry.sha) or b"").decode(errors="replace"))
            except FormError:
                continue
    return found


def _form_labels(visit: Visit, form: IssueForm) -> tuple[str, ...]:
    """GitHub sets those that exist, whoever fills the form in, and passes over the others."""
    return tuple(name for name in form.label_names if visit.hub.issues.find_label(visit.repo, name))


def _text(form: FormData, key: str) -> str:
    return str(form.get(key, ""))
