"""Starting and stopping labs."""

from typing import Any

from hub_harness import HubProcess


def test_a_lab_starts_and_answers(hub: HubProcess, slug: str, docker: Any) -> None:
    lab = hub.add_lab("physics", slug, "first")

    lab.start()

    assert lab.status_for(hub.token) == 200
