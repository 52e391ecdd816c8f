#!/usr/bin/env bash
# Writes requirements.lock anew: the newest versions that setup.cfg allows, tried together.
. "$(dirname "$0")/lib.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
say "resolving all dependencies into a scratch environment"
"$scratch/venv/bin/pip" install --quiet --upgrade ".[postgres,process,test,lint]"
{
    echo "# Versions that are known to work together: a pip constraints file. Written by deploy/setup/lock.sh."
    "$scratch/venv/bin/pip" freeze --all --exclude sophon-hub --exclude pip
} >"$scratch/lock"
mv "$scratch/lock" requirements.lock
