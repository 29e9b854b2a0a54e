"""Installs hashed requirements into the environment of the Python that runs this, where they are not there yet.

Usage: python requirements/install.py run test …   Each name is a file beside this one, without its ending.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Not compiled: what is imported compiles itself at the first import, and most of it never is.
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--prefer-binary", "--no-compile"]


def stamp(name: str) -> Path:
    return Path(sys.prefix) / f".installed-{name}"


def fingerprint(name: str) -> str:
    return hashlib.sha256((HERE / f"{name}.txt").read_bytes()).hexdigest()


def is_installed(name: str) -> bool:
    return stamp(name).exists() and stamp(name).read_text() == fingerprint(name)


def install(names: list[str]) -> int:
    """Returns pip's exit code. All in one call, so that pip sees them together."""
    missing = [name for name in names if not is_installed(name)]
    if not missing:
        return 0
    print(f"Installing what is needed to {', '.join(missing)} (once; some seconds to a minute)…", flush=True)
    files = [option for name in missing for option in ("-r", str(HERE / f"{name}.txt"))]
    code = subprocess.run([*PIP, *files], check=False).returncode  # noqa: S603
    if code:
        print("The installation failed; the lines above say why. Run the same command again.", file=sys.stderr)
        return code
    for name in missing:
        stamp(name).write_text(fingerprint(name))
    print("Installed.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:]))
