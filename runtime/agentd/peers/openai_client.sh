#!/bin/sh
# The Python client of OpenAI against the daemon: openai_client.sh PROGRAM
packages='openai==2.*'
settings=
. "$(dirname "$0")/daemon.sh"
"$venv/bin/python" "$here/openai_client.py" "$address/v1"
