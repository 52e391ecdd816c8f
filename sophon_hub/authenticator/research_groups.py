"""Which groups of the sign-on system are which research groups, as the site configures it."""

from collections.abc import Collection, Mapping
from typing import Any

from traitlets import TraitError

from sophon_hub import names
from sophon_hub.models import MemberRole

TRAIT = "research_groups"
SHAPE = '"slug" or {"group": "slug", "role": "member"}'


def check_mapping(mapping: Mapping[Any, Any]) -> None:
    """Raise `TraitError` with a sentence about the first entry that cannot be meant."""
    for name, value in mapping.items():
        if not isinstance(name, str) or not name:
            raise TraitError(f"{TRAIT}: {name!r} is no name of a group of the sign-on system")
        _read(name, value)


def research_groups_of(mapping: Mapping[str, Any], claimed: Collection[str]) -> dict[str, str]:
    """Research groups by slug with the member role; the highest, where several groups lead there.

    Args:
        mapping: the checked configuration.
        claimed: groups of the sign-on system; those without a mapping mean nothing.
    """
    wanted: dict[str, MemberRole] = {}
    for name, value in mapping.items():
        if name not in claimed:
            continue
        slug, role = _read(name, value)
        if slug not in wanted or wanted[slug].level < role.level:
            wanted[slug] = role
    return {slug: role.value for slug, role in sorted(wanted.items())}


def _read(name: str, value: Any) -> tuple[str, MemberRole]:
    where = f"{TRAIT}[{name!r}]"
    entry = {"group": value} if isinstance(value, str) else value
    if not isinstance(entry, dict) or not entry.keys() <= {"group", "role"}:
        raise TraitError(f"{where} is {value!r}; it has to be {SHAPE}")
    slug, role = entry.get("group"), entry.get("role", MemberRole.MEMBER.value)
    if slug is None:
        raise TraitError(f"{where} names no research group; it has to be {SHAPE}")
    if not isinstance(slug, str) or not names.is_slug(slug):
        raise TraitError(
            f"{where}: {slug!r} is no slug of a research group, which is the last part of its"
            " address: small letters, digits and single hyphens"
        )
    if role not in list(MemberRole):
        raise TraitError(f"{where}: the role {role!r} is none of {', '.join(MemberRole)}")
    return slug, MemberRole(role)
