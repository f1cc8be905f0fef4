#!/bin/sh
# Makes .venv and installs Postroad into it.  Everything else that a new machine lacks is installed
# if we are root, and named if we are not.  PYTHON=... chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

works() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

make_venv() {
    rm -rf .venv
    "$1" -m venv .venv 2>/dev/null && .venv/bin/python -m pip --version >/dev/null 2>&1
}

install_venv() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    echo "setup: installing python3-venv"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
}

make_some_venv() {
    found=
    # The system's own Python first: its security updates come with the system's, every user can read
    # it (the workers are not root), and it is built for speed.
    for python in "${PYTHON:-/usr/bin/python3}" python3 python3.13 python3.12 python3.11; do
        works "$python" || continue
        found=$python
        make_venv "$python" && return
        if [ "$python" = /usr/bin/python3 ] && install_venv && make_venv "$python"; then
            return
        fi
    done
    rm -rf .venv
    if [ -z "$found" ]; then
        echo "setup: Python 3.11 or newer is needed and was not found (Debian 12: apt-get install python3)" >&2
    else
        echo "setup: no Python here can make virtual environments." >&2
        echo "setup: ask an administrator for: apt-get install python3-venv" >&2
    fi
    exit 1
}

.venv/bin/python -m pip --version >/dev/null 2>&1 || make_some_venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' 2>&1 |
    grep -v '^WARNING: Location' || true
.venv/bin/python -c 'import postroad, apsw, dns, msgspec, pytest'
