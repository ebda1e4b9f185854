#!/bin/sh
# The main job, end to end: an agent answers a question with real tools on a real local model, streaming what it does.
#
#   sh tools/demo.sh                                    a question of ours
#   sh tools/demo.sh "How many days until 2030-01-01?"  a question of yours
#
# The first run sets up .venv and fetches the model (93 MB) into the user's cache folder; later runs start at once.
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh
setup llama
exec "$VENV_PYTHON" examples/demo.py "$@"
