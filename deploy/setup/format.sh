#!/usr/bin/env bash
# Formats Python the way `make lint` wants it. Templates are formatted by hand: djlint breaks lines
# inside links and macros, where white space shows.
. "$(dirname "$0")/lib.sh"

.venv/bin/ruff check --fix-only --quiet .
.venv/bin/ruff format --quiet .
