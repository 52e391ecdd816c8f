"""Leave out the tests named in the environment, and complain about names that match nothing."""

import json
import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    excluded = set(json.loads(os.environ["UPSTREAM_EXCLUDED"]))
    left_out = [item for item in items if {item.name, item.name.split("[")[0]} & excluded]
    found = {item.name for item in left_out} | {item.name.split("[")[0] for item in left_out}
    if stale := excluded - found:
        raise pytest.UsageError(f"excluded, but not there: {sorted(stale)}")
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
