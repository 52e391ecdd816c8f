"""The processes of labs that run without an engine."""

from pathlib import Path


def find_servers(home: Path) -> list[int]:
    """Numbers of the servers whose HOME this is; they may have helpers of their own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"HOME={home}".encode() in environment and b"jupyterhub-singleuser" in command:
                found.append(int(entry.name))
    return found


def find_server(home: Path) -> int | None:
    """Number of the process which serves the lab of this home; None when it has ended."""
    return next(iter(find_servers(home)), None)
