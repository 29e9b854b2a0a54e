"""The scope of a request as Daphne makes it, in one pass. Its own way is a Deferred's generator, which takes longer
than the webhook over an update. Whatever is not quite plain is left to it: it says what is wrong."""

import re
import time
from typing import Any
from urllib.parse import unquote

from gateway.types import Scope

PLAIN_NAME = re.compile(rb"[-0-9A-Za-z]+").fullmatch
# What no header's value may hold.
ODD_VALUE = re.compile(rb"[\x0b\x0c\x1c-\x1e\x85]").search
SPECIAL = {b"daphne-root-path", b"upgrade"}


def plain_scope(request: Any) -> Scope | None:
    """Also notes on the request what Daphne's other methods look for. None: it is not plain."""
    headers = _plain_headers(request)
    if headers is None or not request.uri.isascii() or request.server.proxy_forwarded_address_header:
        return None
    request.request_start = time.time()
    request.clean_headers, request.root_path = headers, request.server.root_path
    request.client_addr = [str(request.client.host), request.client.port]
    request.server_addr = [str(request.host.host), request.host.port]
    request.client_scheme = "https" if request.isSecure() else "http"
    request.query_string = request.uri.partition(b"?")[2]
    return {
        "type": "http",
        "http_version": request.clientproto.rpartition(b"/")[2].decode("ascii"),
        "method": request.method.decode("ascii"),
        "path": unquote(request.path.decode("ascii")),
        "raw_path": request.path,
        "root_path": request.root_path,
        "scheme": request.client_scheme,
        "query_string": request.query_string,
        "headers": headers,
        "client": request.client_addr,
        "server": request.server_addr,
    }


def _plain_headers(request: Any) -> list[tuple[bytes, bytes]] | None:
    plain: list[tuple[bytes, bytes]] = []
    for name, values in request.requestHeaders.getAllRawHeaders():
        lower = name.lower()
        if not PLAIN_NAME(name) or lower in SPECIAL:
            return None
        for value in values:
            if ODD_VALUE(value):
                return None
            plain.append((lower, value))
    return plain
