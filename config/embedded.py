"""What the first run makes for itself, so that nothing must be configured, and settings of few choices."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

# What people send each other; nothing that a browser or an operator's computer would run.
UPLOAD_TYPES_BY_DEFAULT = (
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/heic", "application/pdf", "text/plain", "audio/ogg",
    "audio/mpeg", "audio/mp4", "audio/wav", "video/mp4", "video/webm", "video/quicktime",
)  # fmt: skip


def one_of(name: str, value: str, *choices: str) -> str:
    """The value of a setting that is one of a few words. Raises ImproperlyConfigured."""
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(choices)}: set it to one of them.")
    return value


def from_file(name: str, read: Callable[[str], T], path: str) -> T:
    """What a setting's file holds. Raises ImproperlyConfigured where it cannot be read."""
    try:
        return read(path)
    except (OSError, UnicodeError) as error:
        raise ImproperlyConfigured(f"{name}={path} cannot be read ({type(error).__name__}).") from None


def secret_key(folder: Path) -> str:
    """The key in `<folder>/secret_key`, made at the first call. Readable by the owner alone.

    Raises ImproperlyConfigured where it can be neither read nor made.
    """
    path = folder / "secret_key"
    try:
        if not path.exists():
            make_key(path)
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"Set SECRET_KEY: the key in {path} cannot be used ({error.strerror}).") from None
    if not key:
        raise ImproperlyConfigured(f"{path} is empty: remove it, and a new key is made.")
    return key


def make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Two processes may be the first: the key gets its name only when it is whole, and the first one's stays.
    with NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50))
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
