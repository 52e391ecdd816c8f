#!/usr/bin/env python3
"""Chromium that cannot hear of new networks of its machine, in place of ``/usr/bin/chromium``.

Chromium drops what it is loading (``ERR_NETWORK_CHANGED``) whenever an address appears on its
machine, as one does with each container that starts. It hears of them through a netlink socket,
and goes on without one when the kernel gives it none.
"""

import errno
import os
import socket
import sys

import pyseccomp

CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """Become Chromium, with the arguments given."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    of_netlink = pyseccomp.Arg(0, pyseccomp.EQ, socket.AF_NETLINK)
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "socket", of_netlink)
    rules.load()
    os.execv(CHROMIUM, [CHROMIUM, *sys.argv[1:]])


if __name__ == "__main__":
    main()
