"""The steps of a message's trip, by the functions of the product that take them."""

from importlib import import_module
from typing import Any

# (step, module, class or "", function). Steps with the same name are summed.
STEPS = [
    ("webhook: secret, body, answer", "gateway.telegram.webhook", "Webhook", "__call__"),
    ("webhook: the update read", "gateway.telegram.updates", "", "parse"),
    ("webhook: the answer written", "gateway.telegram.webhook", "", "_kept_at_once"),
    ("accept", "gateway.engine", "Engine", "accept"),
    ("handed to the writer", "gateway.writer", "Writer", "submit"),
    ("after the commit: whom it concerns", "gateway.engine", "Engine", "_committed"),
    ("after the commit: whoever waits is told", "gateway.writer", "Writer", "_announce"),
    ("after the commit: figures", "gateway.metrics", "Metrics", "committed"),
    ("after the commit: rings", "gateway.ring", "Ring", "ring"),
    ("lane: order, in hand, settled", "gateway.lane", "Lane", "put_if_unknown"),
    ("lane: order, in hand, settled", "gateway.lane", "Lane", "_has_begun"),
    ("lane: order, in hand, settled", "gateway.lane", "Lane", "_handled"),
    ("lane: order, in hand, settled", "gateway.lane", "Lane", "_settled"),
    ("lane: order, in hand, settled", "gateway.lane", "Lane", "_run"),
    ("to the handler and back, on the loop", "gateway.instance", "Instance", "offer"),
    ("to the handler and back, on the loop", "gateway.direct", "Serving", "_end_in_thread"),
    ("what the bot says is composed", "gateway.lane", "Lane", "_say"),
    ("outbox: order, marks", "gateway.outbox", "Outbox", "_run"),
    ("outbox: order, marks", "gateway.straight", "Straight", "takes"),
    ("outbox: order, marks", "gateway.straight", "Straight", "_told"),
    ("outbox: order, marks", "gateway.straight", "Straight", "_ended"),
    ("sendMessage: parts, arguments", "gateway.telegram.delivery", "", "deliver"),
    ("sendMessage: parts, arguments", "gateway.telegram.server", "Server", "begin"),
    ("sendMessage: parts, arguments", "gateway.telegram.server", "Server", "_answered"),
    ("sendMessage: HTTP", "gateway.telegram.client", "Client", "begin"),
    ("sendMessage: HTTP", "gateway.telegram.lines", "Line", "data_received"),
    ("sendMessage: HTTP", "gateway.telegram.client", "Client", "call"),
    ("writer: waits, takes what waits", "gateway.writer", "Writer", "_take"),
    ("writer: a group's own work", "gateway.writer", "Writer", "_try"),
    ("writer: rows loaded", "gateway.transcript.group", "Group", "_load"),
    ("writer: is the update known", "gateway.transcript.group", "Group", "_load_updates"),
    ("writer: statuses looked up", "gateway.transcript.statements", "", "statuses"),
    ("writer: accept, begin, say, mark, settle applied", "gateway.transcript", "Accept", "apply"),
    ("writer: accept, begin, say, mark, settle applied", "gateway.transcript", "Begin", "apply"),
    ("writer: accept, begin, say, mark, settle applied", "gateway.transcript", "Say", "apply"),
    ("writer: accept, begin, say, mark, settle applied", "gateway.transcript", "Mark", "apply"),
    ("writer: accept, begin, say, mark, settle applied", "gateway.transcript", "Settle", "apply"),
    ("writer: values of new rows", "gateway.transcript.statements", "", "insert"),
    ("writer: values of changed rows", "gateway.transcript.group", "Group", "_changes"),
    ("database: statements", "gateway.transcript.sqlite", "Sqlite", "_run"),
    ("database: statements", "gateway.transcript.sqlite", "Sqlite", "insert"),
    ("database: statements", "gateway.transcript.sqlite", "Sqlite", "update"),
    ("database: statements", "django.db.backends.utils", "CursorWrapper", "execute"),
    ("database: statements", "django.db.backends.utils", "CursorWrapper", "executemany"),
    ("database: commit", "gateway.transcript.sqlite", "Transaction", "__exit__"),
    ("the handler in its thread", "gateway.pool", "Place", "_run_one"),
]


def place_of(module: str, owner: str) -> Any:
    """The class, or the module where there is none, that has a step's function."""
    found = import_module(module)
    return getattr(found, owner) if owner else found
