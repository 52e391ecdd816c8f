#!/usr/bin/env bash
# Formats Python and templates the way `make lint` wants them.
. "$(dirname "$0")/lib.sh"

.venv/bin/ruff check --fix-only --quiet .
.venv/bin/ruff format --quiet .
"${DJLINT[@]}" --reformat || true # says 1 when it changed something
