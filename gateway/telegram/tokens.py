"""Tokens in files, as container secrets are. A file is read again at any time: a new token needs no new start.

Imports nothing of Django: the settings read them too.
"""

import re
from pathlib import Path


def in_file(path: str) -> str:
    """The token in a file of its own; "" for no path. Raises OSError, UnicodeError."""
    return Path(path).read_text(encoding="ascii").strip() if path else ""


def named_in_file(path: str) -> dict[str, str]:
    """`name=token` of a file, one a line or with commas; {} for no path. Raises OSError, UnicodeError."""
    entries = re.split(r"[,\n]", in_file(path))
    pairs = [entry.partition("=") for entry in entries if entry.strip() and not entry.strip().startswith("#")]
    return {name.strip(): token.strip() for name, _, token in pairs}
