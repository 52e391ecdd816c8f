"""What the container of a lab may do and use, as Docker's host configuration."""

from typing import Any

from docker.types.containers import LogConfig, Ulimit

from sophon_hub.spawner.plan import LaunchPlan

OPEN_FILES = 8192
SHARED_MEMORY = "256m"
NO_NAME_SERVER = {"dns": ["127.0.0.1"], "dns_opt": ["timeout:1", "attempts:1"]}
"""The lab itself, where nobody answers; and programs do not wait long for that."""
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108
TMPFS = "rw,exec,nosuid,nodev,mode=1777"

DEFAULTS: dict[str, Any] = {
    # the engine's own default keeps all that a lab ever writes, until the disk is full
    "log_config": LogConfig(type="local", config={"max-size": "10m", "max-file": "2"}),
    # a quarter of what other programs get: labs that calculate leave the Hub its part
    "cpu_shares": 256,
    # what a lab writes to its root would be on the disk, and in no home
    "read_only": True,
}
"""What a site may choose otherwise in `extra_host_config`."""


def confine(plan: LaunchPlan, network: str) -> dict[str, Any]:
    """What holds for the container of this plan, in this network, whatever a site chooses."""
    return {
        "auto_remove": False,  # else the last words of a lab that died are lost
        "privileged": False,
        "network_mode": network,
        # engines before 25 carry questions for names out of internal networks (CVE-2024-29018)
        **({} if plan.internet else NO_NAME_SERVER),
        "cap_add": [],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": plan.pids_limit,
        "init": True,
        "memswap_limit": plan.memory_limit,
        "ulimits": [Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES)],
        "shm_size": SHARED_MEMORY,
        "tmpfs": dict.fromkeys(TEMPORARY, f"{TMPFS},size={plan.memory_limit // 4}"),
    }
