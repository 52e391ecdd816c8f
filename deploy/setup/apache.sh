#!/usr/bin/env bash
# Apache's program and modules for the tests, which start their own; no service, no port.
. "$(dirname "$0")/lib.sh"

[ -x /usr/sbin/apache2 ] && command -v openssl >/dev/null && exit 0
apt_install "the web server that the tests start in front of a hub" apache2-bin openssl
