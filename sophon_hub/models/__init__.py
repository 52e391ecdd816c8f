"""The tables, one file per noun. Import them from here."""

from sophon_hub.models.accounts import LocalAccount
from sophon_hub.models.base import Base
from sophon_hub.models.datasets import Dataset
from sophon_hub.models.events import AuditChain, AuditEvent
from sophon_hub.models.groups import JoinRequest, Membership, ResearchGroup
from sophon_hub.models.history import HistoryTask
from sophon_hub.models.instance import Instance
from sophon_hub.models.jobs import IdempotencyKey, Job, WorkerHeartbeat
from sophon_hub.models.labs import Lab
from sophon_hub.models.materials import Delivery, Material
from sophon_hub.models.people import Person
from sophon_hub.models.personal import PersonalLab
from sophon_hub.models.projects import ResearchProject
from sophon_hub.models.temporary import TemporaryLab, TemporaryVisit
from sophon_hub.models.vocabulary import (
    AccessMode,
    DatasetKind,
    DatasetState,
    DeliveryState,
    DeliveryVerb,
    HistoryState,
    HistoryVerb,
    LabState,
    MaterialKind,
    MemberRole,
    MembershipSource,
    TemporaryState,
    Visibility,
)

__all__ = [
    "AccessMode",
    "AuditChain",
    "AuditEvent",
    "Base",
    "Dataset",
    "DatasetKind",
    "DatasetState",
    "Delivery",
    "DeliveryState",
    "DeliveryVerb",
    "HistoryState",
    "HistoryTask",
    "HistoryVerb",
    "IdempotencyKey",
    "Instance",
    "Job",
    "JoinRequest",
    "Lab",
    "LabState",
    "LocalAccount",
    "Material",
    "MaterialKind",
    "MemberRole",
    "Membership",
    "MembershipSource",
    "Person",
    "PersonalLab",
    "ResearchGroup",
    "ResearchProject",
    "TemporaryLab",
    "TemporaryState",
    "TemporaryVisit",
    "Visibility",
    "WorkerHeartbeat",
]
