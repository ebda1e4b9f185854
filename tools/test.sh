#!/bin/sh
# Sets up .venv with the test dependencies and runs the tests. Arguments go to pytest.
#
#   sh tools/test.sh                     the default suite
#   sh tools/test.sh tests/unit -k mask  a part of it
#   sh tools/test.sh -m slow             the long ones
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh
setup llama,ctransformers,cli,test
exec "$VENV_PYTHON" -m pytest "$@"
