"""The fields of everything people send, for pages, API and command line alike.

Unknown fields are refused, nothing is converted silently. In a PATCH a field that is missing
stays as it is; `changes` gives the ones that were sent.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from sophon_hub import names
from sophon_hub.actions.text import Description, Message, Name
from sophon_hub.errors import FieldError, Invalid
from sophon_hub.models import AccessMode, DatasetKind, MaterialKind, MemberRole, Visibility

E = TypeVar("E")


def _slug(slug: str) -> str:
    if problem := names.slug_problem(slug):
        raise ValueError(problem)
    return slug


def _lab_slug(slug: str) -> str:
    if problem := names.slug_problem(slug, lab=True):
        raise ValueError(problem)
    return slug


def _word(kind: type[E]) -> BeforeValidator:
    """Read one of a closed list of words from JSON, which has no enums."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError("Give a word.")  # noqa: TRY004 - pydantic wants ValueError
        try:
            return kind(value)  # type: ignore[call-arg]
        except ValueError:
            words = ", ".join(kind)  # type: ignore[arg-type]
            raise ValueError(f"Give one of: {words}.") from None

    return BeforeValidator(read)


def _moment(value: Any) -> Any:
    """Read an RFC 3339 time from JSON."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value)
        # the first and last hours of the calendar do not exist in UTC
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (TypeError, ValueError, OverflowError):
        raise ValueError("Give a time such as 2027-01-31T12:00:00Z.") from None


def _shape(pattern: re.Pattern[str], longest: int) -> Any:
    """What the schema of a slug says."""
    return Field(json_schema_extra={"pattern": f"^{pattern.pattern}$", "maxLength": longest})


Slug = Annotated[str, AfterValidator(_slug), _shape(names.SLUG_PATTERN, names.MAX_SLUG)]
LabSlug = Annotated[
    str, AfterValidator(_lab_slug), _shape(names.LAB_SLUG_PATTERN, names.MAX_LAB_SLUG)
]
AVisibility = Annotated[Visibility, _word(Visibility)]
AnAccessMode = Annotated[AccessMode, _word(AccessMode)]
ADatasetKind = Annotated[DatasetKind, _word(DatasetKind)]
AMaterialKind = Annotated[MaterialKind, _word(MaterialKind)]
AMemberRole = Annotated[MemberRole, _word(MemberRole)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
Cores = Annotated[float, Field(ge=0.1, le=1024, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=64 * 1024**2, le=2**50)]


class Form(BaseModel):
    """Base of all forms."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Check what was sent.

        Raises:
            Invalid: one entry for each field that is wrong, in plain words.
        """
        if not isinstance(data, Mapping):
            raise Invalid.of("body", "Send an object with fields.")
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise Invalid([_field_error(entry) for entry in error.errors()]) from None

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


_PLAIN_WORDS = {
    "extra_forbidden": "There is no such field.",
    "missing": "This field is needed.",
    "string_type": "Give a text.",
    "string_unicode": "This is not valid Unicode text.",
    "bool_type": "Give true or false.",
    "int_type": "Give a whole number.",
    "float_type": "Give a number.",
    "finite_number": "Give a number.",
    "greater_than_equal": "Give at least {ge}.",
    "less_than_equal": "Give at most {le}.",
    "timezone_aware": "Give the time zone, such as Z.",
}
_LIMITS = {"ge", "le"}


def _field_error(entry: Any) -> FieldError:
    field = ".".join(str(part) for part in entry["loc"]) or "body"
    words = _PLAIN_WORDS.get(entry["type"], "{message}")
    limits = {name: f"{value:,}" for name, value in entry.get("ctx", {}).items() if name in _LIMITS}
    message = entry["msg"].removeprefix("Value error, ")
    return FieldError(field, words.format(message=message, **limits))


class NewGroup(Form):
    """A research group to create."""

    name: Name
    slug: Slug | None = None
    description: Description = ""
    visibility: AVisibility = Visibility.PUBLIC
    access: AnAccessMode = AccessMode.MANUAL


class GroupChanges(Form):
    """Changes to a research group."""

    name: Name = ""
    description: Description = ""
    visibility: AVisibility = Visibility.PUBLIC
    access: AnAccessMode = AccessMode.MANUAL


class MemberSettings(Form):
    """Role and end date of a membership."""

    role: AMemberRole
    expires_at: Moment | None = None


class JoinMessage(Form):
    """What somebody says who asks to join."""

    message: Message = ""


class Approval(Form):
    """The role given to somebody who asked to join."""

    role: AMemberRole = MemberRole.MEMBER


class VisitWish(Form):
    """A wish for a temporary lab: with the material of the project of this slug, or none.

    It has to be said, since a browser sends an empty body for any site.
    """

    project: str | None


class NewProject(Form):
    """A project to create."""

    group: str
    name: Name
    slug: Slug | None = None
    description: Description = ""
    visibility: AVisibility | None = None


class ProjectChanges(Form):
    """Changes to a project."""

    name: Name = ""
    description: Description = ""
    visibility: AVisibility = Visibility.PRIVATE
    group: str = ""


class NewLab(Form):
    """A lab to create; limits in cores and bytes, None for the hub's default."""

    name: Name
    slug: LabSlug | None = None
    image: str | None = None
    internet: bool = True
    restart_on_removal: bool = False
    cpu_limit: Cores | None = None
    memory_limit: Bytes | None = None


class LabChanges(Form):
    """Changes to a lab."""

    name: Name = ""
    image: str = ""
    internet: bool = True
    restart_on_removal: bool = False
    cpu_limit: Cores | None = None
    memory_limit: Bytes | None = None


class PersonalChanges(Form):
    """Changes to one's personal lab; without an image it has the hub's default."""

    image: str | None = None


class LabStart(Form):
    """How a lab, or personal lab, is started; to clean up also when its home is full."""

    clean_up: bool = False


class LessonOpening(Form):
    """How a lesson is opened; ``use_image``: with software that brings it, if need be."""

    use_image: bool = False


class NewDataset(Form):
    """Files on the machine to register: a directory, or a volume."""

    name: Name
    slug: Slug | None = None
    description: Description = ""
    licence: Message = ""
    source: Message = ""
    visibility: AVisibility | None = None
    group: str = ""
    kind: ADatasetKind
    location: Message


class Publication(Form):
    """A folder of a lab's home to publish as a dataset of its group."""

    name: Name
    slug: Slug | None = None
    description: Description = ""
    licence: Message = ""
    source: Message = ""
    visibility: AVisibility | None = None
    folder: Message


class DatasetChanges(Form):
    """Changes to what is said about a dataset."""

    name: Name = ""
    description: Description = ""
    licence: Message = ""
    source: Message = ""
    visibility: AVisibility = Visibility.PRIVATE


class LockReason(Form):
    """Why a lab is locked."""

    reason: Message = ""


class Confirmation(Form):
    """What is removed for good; its slug, typed by who wants that."""

    confirm: str


class InstanceChanges(Form):
    """Changes to the name and description of the hub."""

    name: Name = ""
    description: Description = ""


class Nothing(Form):
    """A request without fields."""
