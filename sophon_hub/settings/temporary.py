"""Settings of temporary labs."""

import ipaddress
from datetime import timedelta
from typing import Any

from traitlets import Bool, Float, HasTraits, Int, TraitError, Unicode, validate

from sophon_hub.amounts import Amount

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TEMPORARY_IMAGE = "tmp"
"""The image for visitors, where the site has one of this name."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks with commas between them.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(
        ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()
    )


class TemporarySettings(HasTraits):
    """The part of `Sophon` about temporary labs: whether, how many, of what kind, how long."""

    temporary_labs = Bool(
        False,
        help="""Whether anybody, without an account, may try a temporary lab: a JupyterLab that is
        ready at once, has no Internet, and is deleted after the visit. ``make run`` sets it.""",
    ).tag(config=True)

    temporary_image = Unicode(
        help="""Image of temporary labs: one of images by its name, or any other by its reference.
        Default: ``tmp`` where images has it, else ``sophon-hub/tmp:latest`` where ``make images``
        has built that, else default_image.""",
    ).tag(config=True)

    temporary_capacity = Int(
        20, min=1, help="Most temporary labs at a time, those that wait for a visitor included."
    ).tag(config=True)

    temporary_pool = Int(
        3,
        min=0,
        help="""Temporary labs kept ready for visitors who have not come yet. A visitor who finds
        none waits for a start. Raise it before a class.""",
    ).tag(config=True)

    temporary_idle_minutes = Int(
        30, min=1, help="Minutes without work in it after which a temporary lab is deleted."
    ).tag(config=True)

    temporary_max_minutes = Int(
        240, min=1, help="Minutes after which a temporary lab is deleted, whatever happens in it."
    ).tag(config=True)

    temporary_cpu_limit = Float(0.5, min=0.01, help="Cores a temporary lab may use.").tag(
        config=True
    )

    temporary_memory_limit = Amount(
        "1G", help="Memory a temporary lab may use, its files included."
    ).tag(config=True)

    temporary_material_size = Amount(
        "50M",
        help="""Most that the material of a project may hold for visitors to try it. It is copied
        into the memory of their temporary lab.""",
    ).tag(config=True)

    temporary_material_files = Int(
        1000, min=1, help="Most files of a project's material that visitors may try."
    ).tag(config=True)

    temporary_claims = Int(
        5,
        min=1,
        help="""Temporary labs that one address (of IPv6: one /64 network) may ask for within ten
        minutes. A browser that has one comes back to it freely.""",
    ).tag(config=True)

    campus_networks = Unicode(
        help="""Networks, with commas between them, behind whose addresses many people are, such as
        classrooms: ``192.0.2.0/24,2001:db8::/32``. campus_claims counts for them.""",
    ).tag(config=True)

    campus_claims = Int(
        200,
        min=1,
        help="Temporary labs that one address of campus_networks may ask for within ten minutes.",
    ).tag(config=True)

    trusted_proxies = Unicode(
        "127.0.0.0/8,::1/128",
        help="""Addresses and networks of the web servers in front of the hub, with commas between
        them. Only these are believed about whose request they pass on.""",
    ).tag(config=True)

    @validate("campus_networks", "trusted_proxies")
    def _readable_networks(self, proposal: dict[str, Any]) -> str:
        try:
            parse_networks(proposal["value"])
        except ValueError as error:
            raise TraitError(f"{proposal['trait'].name}: {error}") from None
        return str(proposal["value"])

    @property
    def temporary_idle(self) -> timedelta:
        """`temporary_idle_minutes` as a span."""
        return timedelta(minutes=self.temporary_idle_minutes)

    @property
    def temporary_longest(self) -> timedelta:
        """`temporary_max_minutes` as a span."""
        return timedelta(minutes=self.temporary_max_minutes)
