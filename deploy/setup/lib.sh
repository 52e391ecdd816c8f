# Functions shared by the set-up scripts; sourced, never run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '\033[1;34m==>\033[0m %s\n' "$*" >&2; }

die() {
    printf 'sophon-hub: %s\n' "$*" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# apt_install WHAT-FOR PACKAGE...: says what it installs and why; only as root on a Debian
apt_install() {
    local purpose=$1
    shift
    if ! is_root || ! command -v apt-get >/dev/null; then
        die "$purpose is missing. As root on Debian: apt-get install $*"
    fi
    say "installing $* with apt-get ($purpose)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# hash_of FILE...: one word that changes when any of the files does
hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# H052: the page of a starting lab reloads itself, for browsers without JavaScript
DJLINT=(.venv/bin/djlint templates --quiet --profile jinja --indent 2 --ignore H052)
