"""The fields of what people send about course material."""

from typing import Annotated

from pydantic import AfterValidator

from sophon_hub import names
from sophon_hub.actions.forms import AMaterialKind, Form
from sophon_hub.actions.text import Message


def _inner_path(path: str) -> str:
    if not names.is_inner_path(path) or any(
        "\ud800" <= character <= "\udfff" for character in path
    ):
        raise ValueError("Give the path of a file of the material, without . and ..")
    return path


class MaterialSource(Form):
    """Where the material of a project comes from: a folder of a lab, or a git repository."""

    kind: AMaterialKind
    lab: str = ""
    folder: Message = ""
    url: Message = ""
    branch: Message = ""


class MaterialChanges(Form):
    """Whether visitors may try the material in a temporary lab."""

    for_visitors: bool


class DeliveryWish(Form):
    """Whether new material is brought whenever one's lab starts."""

    on_start: bool


class FreshCopy(Form):
    """A file of the material to bring once more."""

    path: Annotated[str, AfterValidator(_inner_path)]
