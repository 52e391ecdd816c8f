#!/usr/bin/env bash
# systemd-analyze, for the test of deploy/sophon-hub.service; nothing is started by it.
. "$(dirname "$0")/lib.sh"

command -v systemd-analyze >/dev/null || apt_install "systemd-analyze, for the test of the systemd unit" systemd
