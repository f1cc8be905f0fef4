#!/bin/sh
# Installs what the benchmarks need and runs them: tools/bench.sh [ARGUMENTS of python -m benchmarks]
# Postroad runs on Debian's own Python, which is what operators have and a profile-guided build.
set -eu
cd "$(dirname "$0")/.."
work=${BENCH_WORK:-/var/tmp/postroad-bench}
PATH=$PATH:/usr/sbin:/sbin

if [ "$(id -u)" != 0 ]; then
    echo "bench: root is needed (packages, a file system, users)" >&2
    exit 1
fi
mkdir -p "$work"

missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need smtp-source postfix
need strace strace
need mkfs.ext4 e2fsprogs
need ip iproute2
need stunnel stunnel4
need openssl openssl
need npm npm
need node nodejs
python3 -c 'import ensurepip' 2>/dev/null || /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ] && command -v apt-get >/dev/null 2>&1; then
    echo "bench: installing$missing"
    # A package's own configuration must neither ask nor start anything.
    made=
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        made=1
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || true
    [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
fi

python=/usr/bin/python3
if ! "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    sh tools/setup.sh
    python=$PWD/.venv/bin/python
    echo "bench: /usr/bin/python3 is not there, too old or without venv: $("$python" --version) is used"
fi
[ -x "$work/venv/bin/python" ] || "$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[bench]' 2>&1 |
    grep -v '^WARNING: Location' || true

export BENCH_HARAKA="${BENCH_HARAKA:-$work/haraka}"
if [ ! -e "$BENCH_HARAKA/node_modules/Haraka/package.json" ] && command -v npm >/dev/null 2>&1; then
    version=3
    # the newest that Debian 12's own Node 18 runs
    node -e 'process.exit(+(parseInt(process.versions.node) >= 20))' && version=3.1
    echo "bench: installing Haraka $version from npm"
    npm install --prefix "$BENCH_HARAKA" --omit=dev --no-audit --no-fund --loglevel=error "Haraka@$version" >/dev/null ||
        echo "bench: Haraka could not be installed; it will be left out" >&2
fi
exec "$work/venv/bin/python" -m benchmarks "$@"
