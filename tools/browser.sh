#!/bin/sh
# Sees to a Chromium for the tests of the HTML report. As root it installs one with apt-get; without one those tests are
# skipped, and say so. Usage: tools/browser.sh
set -eu
for name in "${FPGACNN_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >&2; then
        exit 0
    fi
fi
echo "no Chromium: the tests of the HTML report are skipped; run:  sudo apt-get install -y chromium" >&2
