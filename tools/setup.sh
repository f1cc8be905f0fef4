#!/bin/sh
# Makes .venv and installs Postroad into it.  Everything else that a new machine lacks is installed
# if we are root, and named if we are not.
set -eu
cd "$(dirname "$0")/.."

python=
for name in python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: Python 3.11 or newer is needed and was not found (Debian 12: apt-get install python3)" >&2
    exit 1
fi

make_venv() { "$python" -m venv .venv 2>/dev/null && .venv/bin/python -m pip --version >/dev/null 2>&1; }

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! make_venv; then
        rm -rf .venv
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            echo "setup: installing python3-venv"
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
            make_venv
        else
            echo "setup: this Python cannot make virtual environments." >&2
            echo "setup: ask an administrator for: apt-get install python3-venv" >&2
            exit 1
        fi
    fi
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' 2>&1 |
    grep -v '^WARNING: Location' || true
.venv/bin/python -c 'import postroad, apsw, dns, msgspec, pytest'
