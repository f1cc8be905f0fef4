#!/bin/sh
# Every benchmark, one after the other.  Each prints what it measured; compare within one run.
# relay.py wants root, Postfix's smtp-source and smtp-sink, and a journalled disk (--directory).
set -eu
cd "$(dirname "$0")/.."
py=.venv/bin/python
for name in proto_server proto_client intake store; do
    echo "== $name"
    $py "benchmarks/$name.py"
done
echo "== relay, beside Postfix"
$py benchmarks/relay.py "$@"
