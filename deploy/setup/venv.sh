#!/usr/bin/env bash
# Makes the virtual environment .venv with this package (editable) and the extras given as
# arguments. Does nothing when a former run did the same.
. "$(dirname "$0")/lib.sh"

python=""
for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || die "Python 3.11 or newer is needed; on Debian: apt-get install python3 python3-venv"

stamps=.venv/stamps
state=$(hash_of setup.cfg pyproject.toml requirements.lock)
missing=()
for extra in base "$@"; do
    [ "$(cat "$stamps/$extra" 2>/dev/null)" = "$state" ] || missing+=("$extra")
done
[ ${#missing[@]} = 0 ] && [ -x .venv/bin/python ] && exit 0

if [ ! -x .venv/bin/python ]; then
    say "making the virtual environment .venv with $($python --version)"
    "$python" -m venv .venv 2>/dev/null || {
        rm -rf .venv
        apt_install "Python's venv module" python3-venv
        "$python" -m venv .venv
    }
fi
extras=$(IFS=,; echo "$*")
say "installing Python packages into .venv${extras:+ ($extras)}"
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
    --constraint requirements.lock --editable ".${extras:+[$extras]}"
mkdir -p "$stamps"
for extra in base "$@"; do echo "$state" >"$stamps/$extra"; done
