#!/usr/bin/env bash
# Installs configurable-http-proxy into node_modules, in the version of package-lock.json.
. "$(dirname "$0")/lib.sh"

state=$(hash_of package.json package-lock.json)
[ "$(cat node_modules/.stamp 2>/dev/null)" = "$state" ] &&
    [ -x node_modules/.bin/configurable-http-proxy ] && exit 0
command -v npm >/dev/null || apt_install "npm, which brings the proxy" nodejs npm
say "installing configurable-http-proxy into node_modules"
npm ci --silent --no-audit --no-fund --no-update-notifier
echo "$state" >node_modules/.stamp
