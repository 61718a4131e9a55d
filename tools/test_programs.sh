#!/bin/sh
# Sees to four programs of the tests: a Chromium for the HTML report, faketime for wrong clocks, Icarus Verilog, which simulates
# RTL projects beside Verilator, and PostgreSQL for studies. As root it installs them with apt-get; without them their tests are
# skipped, and VENV/not-installed names them. Usage: tools/test_programs.sh VENV
set -eu
: >"$1/not-installed"

has() { # has NAME...: whether one of these programs is there
    for name in "$@"; do
        if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

missing=
has "${FPGACNN_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable chrome || missing=chromium
has faketime || missing="$missing faketime"
has iverilog || missing="$missing iverilog"
has initdb /usr/lib/postgresql/*/bin/initdb || missing="$missing postgresql"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086  # words, not one name
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >&2; then
        exit 0
    fi
fi
printf '%s\n' $missing >"$1/not-installed" # shellcheck disable=SC2086
echo "their tests are skipped; run:  sudo apt-get install -y" $missing >&2
