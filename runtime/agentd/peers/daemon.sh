# Sourced by the scripts: a folder, a Python environment with the packages named in $packages, and a daemon on $address.
# $1: the program; $settings: more of the settings file.
set -eu
program=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
daemon=
clean() {
    if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

venv=${PEERS_VENV:-$work/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
# shellcheck disable=SC2086
"$venv/bin/pip" install --quiet --disable-pip-version-check $packages

mkdir "$work/models"
cp "${PEERS_MODEL:-$here/../../../models/stride-household-q8_0.gguf}" "$work/models/"
printf '%s\n' "$settings" > "$work/agentd.toml"
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
address=http://127.0.0.1:$port
"$program" --config "$work/agentd.toml" --models "$work/models" --state "$work/state" --listen "tcp:127.0.0.1:$port" \
    --constrain --log-format text 2> "$work/log" &
daemon=$!
"$venv/bin/python" - "$address" <<'PY'
import sys, time, urllib.request
for _ in range(600):
    try:
        urllib.request.urlopen(sys.argv[1] + "/readyz").read()
        sys.exit(0)
    except OSError:
        time.sleep(0.2)
sys.exit("the daemon was never ready")
PY
