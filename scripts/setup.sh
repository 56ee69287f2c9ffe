#!/bin/sh
# Make .venv from the locks, every file checked by its hash. Run by make when a lock changed.
# Where there is no requirements-dev.lock, as in the image, what only tests need is left out.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # Airflow starts twice as slowly without byte code (5.7 s, 3.1 s)
export PIP_DISABLE_PIP_VERSION_CHECK=1 UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"

fail() {
    printf '\nset-up stopped: %s\n' "$1" >&2
    exit 1
}

fits='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$candidate" -c "$fits" 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11, 3.12, 3.13 or 3.14 is needed and none was found.
Install python3, or name one: make PYTHON=/path/to/python3 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "this Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"

if ! .venv/bin/python -c "$fits" 2>/dev/null || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "set-up: making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
echo "set-up: installing what the locks name (a few minutes the first time)"
.venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: \
    -r requirements-bootstrap.lock
lock=requirements-dev.lock
[ -e "$lock" ] || lock=requirements.lock
.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes \
    requirements-bootstrap.lock "$lock"
# Newsdesk itself: from this folder, with no dependency but those above, asking no registry.
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation \
    --offline --editable .
.venv/bin/python -m compileall -q -j 0 .venv/lib || true # a few files are meant not to compile
touch .venv/.ready
