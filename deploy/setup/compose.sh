#!/usr/bin/env bash
# Makes sure that there is a docker compose, of either version, for the tests of deploy/compose.yaml.
. "$(dirname "$0")/lib.sh"

docker compose version >/dev/null 2>&1 && exit 0
command -v docker-compose >/dev/null || apt_install "docker-compose, for the tests of the compose file" docker-compose
