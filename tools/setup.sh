# Sourced by demo.sh, test.sh and .ci/run: `setup EXTRAS` makes .venv, installs agentrt from this tree with the
# comma-separated extras and sets VENV_PYTHON. It does nothing when the extras are there and neither the C core nor the
# package's metadata changed since the last time; Python files are used from the tree.
#
# PYTHON        interpreter for a new .venv; default: the first of python3, python3.13 .. python3.10 that is 3.10 or later
# AGENTRT_VENV  where the environment is; default: .venv

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

find_python() {
    for p in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
        command -v "$p" >/dev/null 2>&1 || continue
        "$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || continue
        printf '%s\n' "$p"
        return
    done
    fail "Python 3.10 or later is needed (Debian, Ubuntu: apt-get install python3 python3-venv)"
}

setup() {
    venv=${AGENTRT_VENV:-.venv}
    state=$venv/.agentrt-installed # line 1: fingerprint, line 2: extras
    if [ ! -x "$venv/bin/python" ]; then
        python=$(find_python) || exit 1
        echo "Making $venv with $("$python" --version)" >&2
        "$python" -m venv "$venv" || fail "could not make $venv (Debian, Ubuntu: apt-get install python3-venv)"
    fi
    VENV_PYTHON=$venv/bin/python

    fingerprint=$(cat pyproject.toml CMakeLists.txt csrc/*.[ch] agentrt/_ffi.c agentrt/_version.py | cksum)
    installed=$(sed -n 2p "$state" 2>/dev/null) || installed=
    missing=
    for extra in $(echo "$1" | tr , ' '); do
        case ",$installed," in *",$extra,"*) ;; *) missing=$missing,$extra ;; esac
    done
    [ -z "$missing" ] && [ "$(sed -n 1p "$state" 2>/dev/null)" = "$fingerprint" ] && return

    command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 ||
        fail "a C compiler is needed (Debian, Ubuntu: apt-get install gcc libc6-dev)"
    extras=$(echo "$installed$missing" | sed 's/^,//')
    echo "Installing agentrt[$extras] from $(pwd)" >&2
    "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]" ||
        fail "the installation failed; pip's messages above say why"
    printf '%s\n%s\n' "$fingerprint" "$extras" >"$state"
}
