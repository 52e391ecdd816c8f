#!/usr/bin/env bash
# Builds the lab images, or those that are named; does nothing when they are there.
. "$(dirname "$0")/lib.sh"

deploy/setup/docker.sh
# where no image registry can be reached, the base image is made from Debian's packages
if ! docker image inspect sophon-hub/base:latest >/dev/null 2>&1 &&
    ! command -v mmdebstrap >/dev/null && is_root && command -v apt-get >/dev/null; then
    apt_install "to make a base image without a registry" mmdebstrap debian-archive-keyring
fi
.venv/bin/python images/build.py "$@"
