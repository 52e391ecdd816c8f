"""What a change would hide, as pages and API say it."""

from dataclasses import asdict
from typing import Any

from sophon_hub.content.effects import effect_sentence
from sophon_hub.models import Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.store import effects
from sophon_hub.store.engine import Session


def effect(found: effects.Effect) -> dict[str, Any]:
    """An effect, with the sentence that people read."""
    hidden = {"group": found.groups, "project": found.projects, "dataset": found.datasets}
    said = effect_sentence(
        hidden,
        found.people,
        found.running_labs,
        guests=found.guests,
        leaving=found.leaving,
        coming=found.coming,
    )
    return {**asdict(found), "sentence": said}


def of_lowering(session: Session, actor: Actor, thing: effects.Thing) -> dict[Visibility, str]:
    """For each lower visibility the sentence that stands beside it in a form."""
    return {
        one: str(effect(effects.get_effect_of_visibility(session, actor, thing, one))["sentence"])
        for one in Visibility
        if one.openness < thing.visibility.openness
    }
