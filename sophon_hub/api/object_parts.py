"""What several objects of the contract are made of."""

from typing import Annotated

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from sophon_hub.policy.quota import QuotaState

Time = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$"}),
]


class User(TypedDict):
    """Somebody with an account; never with an e-mail address."""

    username: str
    display_name: str


class Connected(User):
    """Somebody who is in a lab now."""

    watching: Annotated[bool, Field(description="In it as a viewer, who changes nothing.")]


class Disk(TypedDict):
    """What a home holds, in bytes, null until it was measured; and may hold, null without limit."""

    bytes: int | None
    trash_bytes: int | None
    measured_at: Time | None
    soft_quota: int | None
    hard_quota: int | None
    state: Annotated[
        QuotaState,
        Field(
            description="full: beyond the hard quota; held: stopped because it was filling the"
            " disk. Not started then but to clean up."
        ),
    ]


class Run(TypedDict):
    """When a lab was started and stopped last, and when it will be."""

    started_at: Time | None
    stopped_at: Annotated[Time | None, Field(description="Null while it runs.")]
    stop_reason: Annotated[str, Field(description="Why the hub stopped it; empty if somebody did.")]
    stops_at: Annotated[
        Time | None, Field(description="When it is stopped unless somebody works in it.")
    ]
    last_activity: Annotated[Time | None, Field(description="When somebody last worked in it.")]
