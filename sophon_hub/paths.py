"""Where the files are that belong to the package but are no modules: entry points and pages."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def share_dir() -> Path:
    """Directory that holds ``services`` and ``templates``: the checkout, or where pip put them."""
    if (CHECKOUT / "templates").is_dir():
        return CHECKOUT
    return Path(sys.prefix) / "share" / "sophon_hub"


def service_script(name: str) -> Path:
    """Entry point of a hub-managed service: ``portal`` or ``worker``."""
    return share_dir() / "services" / f"{name}.py"


def hub_templates() -> Path:
    """Overrides of the Hub's own pages."""
    return share_dir() / "templates" / "hub"


def portal_templates() -> Path:
    """Pages of the portal."""
    return share_dir() / "templates" / "portal"


def lessons() -> Path:
    """The lessons of the course, rendered."""
    return Path(__file__).resolve().parent / "static" / "lessons"


def lab_package() -> Path:
    """Directory of the package ``sophon_lab``, for labs that are processes of this machine."""
    return share_dir() / "images" / "lab"


def apache_templates() -> Path:
    """Virtual hosts for the Apache in front."""
    return share_dir() / "deploy" / "apache"
