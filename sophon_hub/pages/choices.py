"""What forms do not offer, since it would be refused, and what they say instead."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from sophon_hub import clock
from sophon_hub.actions.groups import in_the_way
from sophon_hub.models import Membership, ResearchGroup, Visibility
from sophon_hub.pages.base import FormState, Values
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.store import groups
from sophon_hub.store.engine import Session


def refused_visibilities(session: Session, group: ResearchGroup) -> dict[Visibility, list[Values]]:
    """For each visibility the group cannot have, what is seen by more people, as links."""
    return {
        visibility: [
            {"address": f"{noun}/{slug}", "slug": slug}
            for noun, slugs in nouns.items()
            for slug in slugs
        ]
        for visibility, nouns in in_the_way(session, group).items()
    }


def without_refused(
    form: FormState, refused: Collection[Visibility], instead: Visibility
) -> FormState:
    """The form without a chosen visibility that is not offered."""
    if form.values.get("visibility") in refused:
        return replace(form, values={**form.values, "visibility": instead.value})
    return form


def why_not_leave(session: Session, actor: Actor, group: ResearchGroup) -> str | None:
    """Why the actor cannot leave the group, if they are in it."""
    if actor.person_id is None or actor.role_in(group.id) is None:
        return None
    membership = groups.find_membership(session, group, actor.person_id, clock.utcnow())
    owners = groups.list_lasting_owners(session, group)
    return obstacles.to_leaving(membership, owners) if membership else None


def of_people(
    session: Session, actor: Actor, group: ResearchGroup, rows: Sequence[Membership]
) -> dict[str, Values]:
    """By user name: why somebody stays owner, why in the group, and the last day they can get.

    ``until`` is None without such a day, and ``over`` is whether even today is too late.
    """
    owners = groups.list_lasting_owners(session, group)
    found: dict[str, Values] = {}
    for row in rows:
        end = obstacles.own_end(actor, group, row.person_id)
        # forms give whole days, so it is the last one that is over by then
        until = end and end.date() - timedelta(days=1)
        found[row.person.username] = {
            "stays": obstacles.to_losing_owner(owners, row.person_id),
            "kept": obstacles.to_removing(row, owners),
            "until": until and until.isoformat(),
            "over": until is not None and until < clock.utcnow().date(),
        }
    return found
