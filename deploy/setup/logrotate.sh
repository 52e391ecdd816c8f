#!/usr/bin/env bash
# logrotate, for the test of deploy/logrotate/sophon-hub; it rotates files of the test only.
. "$(dirname "$0")/lib.sh"

command -v logrotate >/dev/null || apt_install "logrotate, for the test of the configuration of it" logrotate
