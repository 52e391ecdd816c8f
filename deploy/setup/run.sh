#!/usr/bin/env bash
# `make run`: everything from a bare machine to a hub with sample data, in the foreground.
. "$(dirname "$0")/lib.sh"

[ -z "${PORT:-}" ] || export SOPHON_PORT=$PORT
spawner=${SOPHON_SPAWNER:-docker}

if [ "$spawner" = process ]; then
    say "labs run as plain processes: they are NOT ISOLATED; for a look on this machine only"
    deploy/setup/venv.sh process
else
    deploy/setup/venv.sh
fi
deploy/setup/proxy.sh
.venv/bin/sophon-hub check
[ "$spawner" = process ] || deploy/setup/images.sh
.venv/bin/sophon-hub migrate
.venv/bin/sophon-hub seed-demo

# visitors get containers or nothing
[ "$spawner" = process ] || export SOPHON_TEMPORARY_LABS=${SOPHON_TEMPORARY_LABS:-true}
say "starting the hub"
.venv/bin/sophon-hub announce &
exec .venv/bin/jupyterhub --config jupyterhub_config.py
