"""Issue forms (.github/ISSUE_TEMPLATE/*.yml): read, and their answers put together as GitHub does."""

from collections.abc import Mapping
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import TrainwrightError

FOLDER = ".github/ISSUE_TEMPLATE"
NO_RESPONSE = "_No response_"


class FormError(TrainwrightError):
    """A form that cannot be read; GitHub says so on the page of the file."""


class _Lenient(BaseModel):
    """GitHub knows more keys than are shown here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Choice(_Lenient):
    label: str
    required: bool = False


class Attributes(_Lenient):
    label: str = ""
    description: str = ""
    placeholder: str = ""
    value: str = ""
    render: str = ""
    multiple: bool = False
    options: tuple[str | Choice, ...] = ()
    default: int | None = None

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(option if isinstance(option, Choice) else Choice(label=option) for option in self.options)


class Validations(_Lenient):
    required: bool = False


class FormField(_Lenient):
    type: Literal["markdown", "input", "textarea", "dropdown", "checkboxes"]
    id: str = ""
    attributes: Attributes = Attributes()
    validations: Validations = Validations()


class IssueForm(_Lenient):
    name: str
    description: str = ""
    title: str = ""
    labels: tuple[str, ...] | str = ()
    body: tuple[FormField, ...] = Field(min_length=1)

    @property
    def label_names(self) -> tuple[str, ...]:
        if isinstance(self.labels, str):
            return tuple(name.strip() for name in self.labels.split(",") if name.strip())
        return self.labels

    def questions(self) -> list[tuple[str, FormField]]:
        """Each field that wants an answer, under the name that its input has."""
        return [(f"answer-{index}", field) for index, field in enumerate(self.body) if field.type != "markdown"]


Answers = Mapping[str, tuple[str, ...]]
"""By the input's name: the texts given, or the labels chosen."""


def read_form(text: str) -> IssueForm:
    try:
        return IssueForm.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise FormError(f"This issue form cannot be read: {error}") from None


def missing(form: IssueForm, answers: Answers) -> list[str]:
    """The labels of required questions that have no answer."""
    found = []
    for name, field in form.questions():
        given = [text for text in answers.get(name, ()) if text.strip()]
        if field.validations.required and not given:
            found.append(field.attributes.label)
        found += [choice.label for choice in field.attributes.choices if choice.required and choice.label not in given]
    return found


def compose(form: IssueForm, answers: Answers) -> str:
    """The issue's body: per question `### Label`, a blank line, the answer."""
    sections = []
    for name, field in form.questions():
        answer = _answer(field, answers.get(name, ())) or NO_RESPONSE
        sections.append(f"### {field.attributes.label}\n\n{answer}")
    return "\n\n".join(sections)


def _answer(field: FormField, given: tuple[str, ...]) -> str:
    if field.type == "checkboxes":
        boxes = ((("x" if choice.label in given else " "), choice.label) for choice in field.attributes.choices)
        return "\n".join(f"- [{mark}] {label}" for mark, label in boxes)
    text = ", ".join(given) if field.type == "dropdown" else "\n".join(given).strip()
    if text and field.type == "textarea" and field.attributes.render:
        return f"```{field.attributes.render}\n{text}\n```"
    return text
