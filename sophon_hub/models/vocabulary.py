"""The closed lists of words that rows use: visibility, access mode, member role, and so on."""

from enum import StrEnum


class Visibility(StrEnum):
    """Who sees a research group or project."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"

    @property
    def openness(self) -> int:
        """2 for public, 1 for internal, 0 for private: to compare who sees more."""
        return {"public": 2, "internal": 1, "private": 0}[self.value]

    @property
    def meaning(self) -> str:
        """The sentence that forms and help show beside the word."""
        return {
            "public": "Anyone, also without an account",
            "internal": "Everyone who is signed in",
            "private": "Only the people of the group",
        }[self.value]

    def within(self, other: "Visibility") -> "Visibility":
        """This one, or the other when fewer people see that."""
        return min(self, other, key=lambda one: one.openness)


class AccessMode(StrEnum):
    """How people join a research group."""

    OPEN = "open"
    REQUEST = "request"
    MANUAL = "manual"

    @property
    def meaning(self) -> str:
        """The sentence that forms and help show beside the word."""
        return {
            "open": "Anyone signed in may join",
            "request": "People ask, an owner decides",
            "manual": "Owners add people",
        }[self.value]


class MemberRole(StrEnum):
    """What somebody may do in a research group; each role includes the ones before it."""

    VIEWER = "viewer"
    MEMBER = "member"
    OWNER = "owner"

    @property
    def level(self) -> int:
        """1 for viewer, 2 for member, 3 for owner."""
        return {"viewer": 1, "member": 2, "owner": 3}[self.value]


class MembershipSource(StrEnum):
    """Who decided that somebody belongs to a research group."""

    PERSON = "person"
    SIGN_ON = "sign-on"


class LabState(StrEnum):
    """Where a lab is in its life, as people see it."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"

    @property
    def has_server(self) -> bool:
        """Whether the Hub has, or is about to have, a server for the lab."""
        return self in (LabState.STARTING, LabState.RUNNING, LabState.STOPPING)


class DatasetKind(StrEnum):
    """Where the files of a dataset are: on the machine, in a volume, or copied from a lab."""

    DIRECTORY = "directory"
    VOLUME = "volume"
    PUBLISHED = "published"


class DatasetState(StrEnum):
    """Whether a dataset can be mounted."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


class MaterialKind(StrEnum):
    """Where course material comes from: a folder of a lab, or a git repository."""

    FOLDER = "folder"
    REPOSITORY = "repository"


class DeliveryState(StrEnum):
    """How it stands with bringing material into a home."""

    NEVER = "never"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class DeliveryVerb(StrEnum):
    """What is done: bring what is new, bring one file afresh, or undo what was done last."""

    GET = "get"
    FRESH = "fresh"
    UNDO = "undo"


class HistoryVerb(StrEnum):
    """What is done with kept versions of notebooks: list them, compare two, make one present."""

    LOOK = "look"
    COMPARE = "compare"
    RESTORE = "restore"


class HistoryState(StrEnum):
    """How it stands with that."""

    NEVER = "never"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class TemporaryState(StrEnum):
    """Where a temporary lab is in its life; one that has ended has no row."""

    STARTING = "starting"
    READY = "ready"
    CLAIMED = "claimed"
    ENDING = "ending"
