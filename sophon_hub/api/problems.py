"""What the API answers when something is wrong, as types; tests hold every answer to them."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.models import Visibility


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str


class _Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="A sentence for people.")]


class Problem(_Problem, total=False):
    """An error (RFC 9457)."""

    errors: Annotated[list[FieldProblem], Field(description="With 422.")]
    projects: Annotated[
        list[str], Field(description="With 409: projects that are more visible than the group.")
    ]
    datasets: Annotated[
        list[str], Field(description="With 409: datasets that are more visible than the group.")
    ]
    visibility: Annotated[
        Visibility, Field(description="With 409: what a project would get in the other group.")
    ]
    field: Annotated[str, Field(description="With 409: the field that is taken.")]
