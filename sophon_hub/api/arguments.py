"""The query arguments that several addresses take."""

from sophon_hub.api.operation import Argument
from sophon_hub.models import AccessMode, Visibility
from sophon_hub.policy.permissions import Permission
from sophon_hub.store.paging import DEFAULT_LIMIT, MAX_LIMIT

PAGING = (
    Argument(
        "limit",
        "How many items to send at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    Argument("cursor", "The `next` of the page before."),
)
SEARCH = Argument("q", "Only items whose name or slug contains this.")
MINE = Argument(
    "mine", "Only what belongs to the caller's groups.", {"type": "boolean", "default": False}
)
TRASH = Argument(
    "trash",
    "What is in the trash instead; owners and admins see it.",
    {"type": "boolean", "default": False},
)
ACCESS = Argument(
    "access",
    "Only groups people join this way.",
    {"type": "string", "enum": [*map(str, AccessMode)]},
)
GROUP = Argument("group", "Only projects of the group with this slug.")
DATASET_GROUP = Argument("group", "Only datasets of the group with this slug.")
VISIBILITY = Argument(
    "visibility",
    "Only projects seen by these.",
    {"type": "string", "enum": [*map(str, Visibility)]},
)
NAME = Argument(
    "q", "Part of the user name or display name.", {"type": "string", "minLength": 2}, required=True
)
PERMISSION = Argument(
    "permission",
    "What is asked about.",
    {"type": "string", "enum": [*map(str, Permission)]},
    required=True,
)
CHANGE = Argument(
    "change",
    "What is to be done: moved to the trash, or given this visibility.",
    {"type": "string", "enum": ["delete", *map(str, Visibility)]},
    required=True,
)
PROJECT_CHANGE = Argument(
    "change",
    "What is to be done: moved to the trash, moved to another group, or given this visibility.",
    {"type": "string", "enum": ["delete", "move", *map(str, Visibility)]},
    required=True,
)
TARGET = Argument("group", "Where the project is to be moved to.")
USERNAME = Argument("username", "Who is asked about; the caller when it is left out.")
LAB = Argument("lab", "Which lab of the project is asked about; the project when it is left out.")
EVENT_FILTER = (
    Argument("actor", "Only what this person did, by user name."),
    Argument("action", "Only this action, such as `lab:open`, or those of a noun, such as `lab`."),
    Argument("subject", "Only what was done to things whose name contains this."),
    Argument("group", "Only what belongs to the group with this slug."),
    Argument(
        "via",
        "Only what came this way.",
        {"type": "string", "enum": ["page", "api", "cli", "system", "lab"]},
    ),
    Argument("request_id", "Only what this request, run of a command, or job did."),
    Argument("since", "Only from this day, or moment, on."),
    Argument("until", "Only up to this day, which is included, or before this moment."),
)
