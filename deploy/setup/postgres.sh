#!/usr/bin/env bash
# PostgreSQL's server programs for the tests; the tests start their own server with them.
. "$(dirname "$0")/lib.sh"

ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
# Debian's package would also start a server of its own; nothing here needs that one
if is_root && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
apt_install "the database server that the tests start" postgresql
