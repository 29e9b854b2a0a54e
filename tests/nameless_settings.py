"""The product's settings where `telegram.test` is this machine, unless the file that NAMES_GONE names is there."""

import os
import socket
from pathlib import Path
from typing import Any

from tests.outside.settings import *  # noqa: F403

gone = Path(os.environ["NAMES_GONE"])
resolve = socket.getaddrinfo


def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
    if host != "telegram.test":
        return resolve(host, *arguments, **named)
    if gone.exists():
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return resolve("127.0.0.1", *arguments, **named)


socket.getaddrinfo = getaddrinfo
