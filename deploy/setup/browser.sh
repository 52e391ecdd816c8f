#!/usr/bin/env bash
# Chromium and fonts for the tests that drive a browser.
. "$(dirname "$0")/lib.sh"

command -v chromium >/dev/null ||
    apt_install "the browser of the journey tests" \
        chromium libseccomp2 fonts-dejavu-core fonts-noto-color-emoji
