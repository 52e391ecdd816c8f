"""The pages of docs/reference, made from the code they describe. ``make docs`` writes them."""

from collections.abc import Sequence
from pathlib import Path

from sophon_hub import paths
from sophon_hub.metrics.exposition import OF_THE_DATABASE, OF_THE_PORTAL, Definition
from sophon_hub.policy.actor import Standing
from sophon_hub.policy.permissions import LEAST_STANDING, Permission
from sophon_hub.settings import PREFIX, Sophon

GENERATED = "<!-- made by `make docs`; change the code instead -->"


def settings_page() -> str:
    """Every setting with its environment variable, type and help."""
    lines = [GENERATED, "# Settings", ""]
    for name, trait in sorted(Sophon.class_traits(config=True).items()):
        help_text = " ".join((trait.help or "").split())
        kind = type(trait).__name__
        default = "" if trait.default_value in ("", None) else f", default `{trait.default_value}`"
        shown = "" if not isinstance(trait.default_value, (str, int, float, bool)) else default
        lines += [f"## {name}", "", f"`{PREFIX}{name.upper()}` ({kind}{shown})", "", help_text, ""]
    return "\n".join(lines)


def permissions_page() -> str:
    """Every permission against everybody it could concern."""
    columns = [Standing.USER, Standing.VIEWER, Standing.MEMBER, Standing.OWNER, Standing.ADMIN]
    head = "| permission | guest | " + " | ".join(one.name.lower() for one in columns) + " |"
    lines = [GENERATED, "# Who may do what", "", head, "|---|---|" + "---|" * len(columns)]
    for permission in Permission:
        least = LEAST_STANDING.get(permission)
        if least is None:
            continue
        marks = ["yes" if one >= least else "-" for one in columns]
        lines.append(f"| `{permission}` | - | " + " | ".join(marks) + " |")
    lines += [
        "",
        "Seeing a group, project or dataset depends on its visibility: public is for anyone,"
        " internal for everybody signed in, private for the people of the group and administrators."
        " Datasets without a group are the administrators'.",
        "Whoever locked a lab may unlock it, and while it is locked nobody else may open it to"
        " edit. What is in the trash is seen by owners and administrators only, and can only be"
        " restored.",
        "",
    ]
    return "\n".join(lines)


def metrics_page() -> str:
    """Every metric with its type and labels."""
    lines = [
        GENERATED,
        "# Metrics",
        "",
        "At `/services/sophon/metrics`, for administrators and for tokens with the hub scope"
        " `read:metrics`. How to have Prometheus read them is in"
        " [the guide](../admins.md#metrics). JupyterHub's own are at `/hub/metrics`.",
        "",
        "## Of the portal since its start",
        "",
        *_metrics_table(OF_THE_PORTAL),
        "",
        "Those of every Prometheus client, `process_*` and `python_*`, are there, too.",
        "",
        "## Of the database at this moment",
        "",
        *_metrics_table(OF_THE_DATABASE),
        "",
    ]
    return "\n".join(lines)


def _metrics_table(definitions: Sequence[Definition]) -> list[str]:
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} |"
        f" {one.help} |"
        for one in definitions
    ]
    return ["| name | type | labels | what it tells |", "|---|---|---|---|", *rows]


PAGES = {
    "settings.md": settings_page,
    "permissions.md": permissions_page,
    "metrics.md": metrics_page,
}


def write(directory: Path) -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (directory / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    write(paths.CHECKOUT / "docs" / "reference")
