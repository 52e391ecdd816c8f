"""Make the cloud's metadata addresses, or everything, unreachable from the network it runs in.

Runs in a helper container (see `protection.protect`) with nothing but the standard
library, from source text: it must not import anything of ours. It speaks netlink itself because
images have no ``ip`` command. A more specific route wins over the default route that comes with
the internet, so these stay in force whatever is connected later.
"""

import ipaddress
import os
import socket
import struct
import sys
from pathlib import Path

METADATA = ("fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "169.254.0.0/16")
"""Link-local (all large clouds) and the addresses that some clouds have beside it.

Link-local comes last: it is what GATE waits for.
"""

EVERYTHING = ("::/0", "0.0.0.0/0")
"""The way out by default, which the engine leaves to the host even in internal networks."""

GATE = """
shut() {
    while read -r device target rest; do
        case $target in 0000FEA9 | A9FE0000) return 1 ;; esac
    done < /proc/net/route
}
while shut; do sleep 0.01; done
exec "$0" "$@"
"""
"""What a lab runs first: it waits for the routes below, then becomes the server.

Without it, code in the home that runs when Python starts could be faster than the guard.
"""

RTM_NEWROUTE = 24
FLAGS = 0x1 | 0x4 | 0x100 | 0x400  # request, acknowledge, replace, create
MAIN_TABLE, STATIC, UNIVERSE, UNREACHABLE = 254, 4, 0, 7
RTA_DST = 1
NLMSG_ERROR = 2


def route_message(network: str) -> bytes:
    """The netlink message that adds an unreachable route for a network."""
    target = ipaddress.ip_network(network)
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    address = target.network_address.packed
    body = struct.pack(
        "=BBBBBBBBI", family, target.prefixlen, 0, 0, MAIN_TABLE, STATIC, UNIVERSE, UNREACHABLE, 0
    ) + struct.pack("=HH", 4 + len(address), RTA_DST)
    body += address
    return struct.pack("=IHHII", 16 + len(body), RTM_NEWROUTE, FLAGS, 1, 0) + body


def has_ipv6() -> bool:
    """Whether this network speaks IPv6 at all; the engine turns it off where it is not used."""
    switch = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    return switch.exists() and switch.read_text().strip() == "0"


def block(network: str) -> None:
    """Add the route; raises when the kernel refuses."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.send(route_message(network))
        answer = link.recv(65536)
    kind, error = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind == NLMSG_ERROR and error:
        raise OSError(-error, f"{network}: {os.strerror(-error)}")


def main(*options: str) -> int:
    """Block the metadata addresses, with the option ``--everything`` also the way out."""
    ipv6 = has_ipv6()
    for network in (*(EVERYTHING if "--everything" in options else ()), *METADATA):
        if ipv6 or ":" not in network:
            block(network)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
