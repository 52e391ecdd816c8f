"""Restarting labs whose owners want it when somebody loses the right to work in them.

Whoever is removed loses every open socket at once, but programs that they started go on: kernels,
and what was left running in a terminal. A restart ends those, too.
"""

from sqlalchemy.orm import Session

from sophon_hub import audit, jobs
from sophon_hub.clock import utcnow
from sophon_hub.models import LabState
from sophon_hub.policy.actor import Actor
from sophon_hub.store import labs as store
from sophon_hub.worker import labs
from sophon_hub.worker.context import SYSTEM, Context

REASON = "somebody lost the right to work in it"
MESSAGE = f"Restarting, since {REASON}"


def enqueue(session: Session, group: str, actor: Actor = SYSTEM) -> None:
    """Have those running labs of a research group (slug) restarted that are set to do so."""
    for lab in store.system_to_restart(session, group):
        lab.state, lab.message = LabState.STOPPING, MESSAGE
        lab.stopped_at, lab.stopped_by_id, lab.stop_reason = utcnow(), None, REASON
        audit.record(session, actor, "lab:restart", lab)
        jobs.enqueue(session, "restart_lab", f"lab:{lab.id}", lab_id=lab.id)


async def restart_lab(context: Context, lab_id: int) -> None:
    """Stop a lab, which saves what is open in it, and start it again."""
    await labs.stop_lab(context, lab_id)

    def begin(session: Session) -> None:
        lab = store.system_lab(session, lab_id)
        if lab is None or lab.state is not LabState.STOPPED:
            return
        if lab.deleted_at is None and lab.project.deleted_at is None:
            lab.state, lab.progress, lab.message = LabState.STARTING, 0, MESSAGE
            lab.started_at, lab.started_by_id = utcnow(), None
            lab.stopped_at, lab.stop_reason = None, ""
            lab.started_with = lab.launch_settings()

    await context.write(begin)
    await labs.start_lab(context, lab_id)
