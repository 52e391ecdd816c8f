#!/usr/bin/env bash
# Everything that can be found wrong without running it. All checks run, then any failure fails.
. "$(dirname "$0")/lib.sh"

bad=0
check() {
    say "$1"
    shift
    "$@" || bad=1
}
check "ruff: rules" .venv/bin/ruff check .
check "ruff: format" .venv/bin/ruff format --check .
check "mypy: types" .venv/bin/mypy
check "import-linter: layers" env PYTHONPATH=images/lab .venv/bin/lint-imports --config setup.cfg
check "djlint: templates" "${DJLINT[@]}" --lint
exit $bad
