# Makes the virtual environment where there is none that works. Usage: sh venv.sh FOLDER. PYTHON chooses the interpreter.
set -eu
folder=$1

works() { "$folder/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if works; then exit 0; fi

for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if recent "$python"; then found=$python; break; fi
done
if [ -z "${found:-}" ]; then
    echo "Switchboard needs Python 3.11 or newer, and none was found. On Debian or Ubuntu: apt-get install python3" >&2
    echo "If it has another name here, say so: make run PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$found has no module for virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi
echo "Making a virtual environment in $folder/ with $("$found" --version)…"
"$found" -m venv --clear "$folder"
