#!/bin/sh
# Schemathesis against the daemon: schemathesis.sh PROGRAM [CASES] [SEED]
# Every operation gets its share of the cases: what the document allows, and what it does not.
packages='schemathesis==4.*'
settings='[limits]
texts = 8
episodes = 8
[worker]
step_seconds = 60'
. "$(dirname "$0")/daemon.sh"
cases=${2:-5000}
seed=${3:-1}
"$program" openapi > "$work/openapi.json"
# Those without parameters and body are asked once; the others share the cases.
operations=$("$venv/bin/python" -c '
import json, sys
paths = json.load(open(sys.argv[1]))["paths"].items()
print(sum("parameters" in it or "requestBody" in it for path, all in paths if not path.endswith("/events") for it in all.values()))' "$work/openapi.json")
each=$(( (cases + operations - 1) / operations ))
echo "$operations operations with something to vary, $each cases each"
# A stream of events never ends by itself; it has a test of its own.
"$venv/bin/schemathesis" run "$work/openapi.json" --url "$address" --seed "$seed" --phases coverage,fuzzing --max-examples "$each" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --exclude-path-regex '/events$' --request-timeout 60 --continue-on-failure
kill -0 "$daemon"
echo "the daemon is still there"
