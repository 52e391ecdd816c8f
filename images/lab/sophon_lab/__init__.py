"""What Sophon Hub adds to Jupyter Server inside every lab.

The spawner loads it with arguments, which win over configuration files in a home. `extension`
puts the parts together: each part is a module with ``load(app)``, which adds handlers, and
``async start(app)``, which runs once the server's event loop does.
"""

from typing import Any

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from sophon_lab.extension import SophonLab  # noqa: PLC0415 - only a server loads it

    return [{"module": "sophon_lab.extension", "app": SophonLab}]
