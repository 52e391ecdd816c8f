"""Kernels that people have installed below the home are offered, whatever else there is ignored.

The spawner turns configuration in the home of a project's lab off: it would be code in the
server that everybody there trusts. JupyterHub takes that to include the kernels.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab


def load(app: "SophonLab") -> None:
    """Look for kernels below the home, too, after those of the image."""
    manager = app.server.kernel_spec_manager
    if manager is not None and manager.user_kernel_dir not in manager.kernel_dirs:
        manager.kernel_dirs = [*manager.kernel_dirs, manager.user_kernel_dir]


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
