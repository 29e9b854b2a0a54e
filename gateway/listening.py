"""Whether an address can be listened on, asked before anything is started."""

import errno
import os
import socket


class CannotListen(Exception):
    """The text says why, in plain words, and which setting to change."""


REASONS = {
    errno.EADDRINUSE: "Port {port} on {host} is taken by another program. Stop it, or choose another port: PORT=8001",
    errno.EACCES: "Port {port} needs rights that this user does not have. Choose a port above 1023: PORT=8000",
    errno.EADDRNOTAVAIL: "{host} is no address of this machine. Set HOST to one that is, such as HOST=127.0.0.1",
}


def check_address(host: str, port: int) -> None:
    """Binds once and lets go. Raises CannotListen."""
    if not 0 <= port <= 65535:
        raise CannotListen(f"{port} is no port: set PORT to a number up to 65535.")
    bare = host.strip("[]")
    try:
        family, kind, _, _, address = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror:
        raise CannotListen(f"{host} is not an address that can be found: see the setting HOST.") from None
    except OSError as error:
        reason = REASONS.get(error.errno or 0, "Cannot listen on {host}, port {port} (HOST, PORT): {error}")
        raise CannotListen(reason.format(host=host, port=port, error=error.strerror)) from None
