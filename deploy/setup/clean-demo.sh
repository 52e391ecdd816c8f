#!/usr/bin/env bash
# `make clean-demo`: see clean_demo.py.
. "$(dirname "$0")/lib.sh"

deploy/setup/venv.sh
.venv/bin/python deploy/setup/clean_demo.py
