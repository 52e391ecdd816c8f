"""What admins change about the hub itself."""

from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.actions.forms import InstanceChanges
from sophon_hub.errors import Forbidden
from sophon_hub.models import Instance
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require_person
from sophon_hub.store.instance import get_instance


def edit_instance(session: Session, actor: Actor, form: InstanceChanges) -> Instance:
    """Change the name or description of the hub."""
    require_person(actor)
    if not actor.is_admin:
        raise Forbidden("Only administrators change this.")
    instance = session.merge(get_instance(session))
    changes = form.changes()
    before = {name: getattr(instance, name) for name in changes}
    for name, value in changes.items():
        setattr(instance, name, value)
    audit.record(session, actor, "instance:edit", None, before=before, after=changes)
    return instance
