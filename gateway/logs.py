"""What a log line says beside its words: which conversation it is about, and a name that alarms go by.

Ids, never what people wrote. A bot's own lines get the ids of the conversation that its handler works for.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError

from gateway.errors import DeliveryError, NotReady
from gateway.limits import Kept, Meter, Rate
from gateway.redact import redact
from gateway.traces import wordless

LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
IDS = ("conversation", "row", "bot", "protocol", "part")

about: ContextVar[Mapping[str, Any] | None] = ContextVar("about", default=None)
"""Ids of what this context works for; of those in IDS."""
row: ContextVar[int | None] = ContextVar("row", default=None)
"""The row in hand, which changes more often than the rest."""


def event(name: str, **ids: Any) -> dict[str, Any]:
    """A logging call's `extra`: a name that stays as it is, for whoever raises alarms, and ids of IDS."""
    return {"event": name, **ids}


class Context(logging.Filter):
    """Gives a record the ids of the context that it was written in, where it brings none of its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = {**(about.get() or {}), "row": row.get()}
        for name in IDS:
            if known.get(name) is not None and not hasattr(record, name):
                setattr(record, name, known[name])
        return True


class Wordless(logging.Filter):
    """An exception may say what somebody wrote, so of those that we report ourselves the words are left out. With
    `debug` they stay."""

    harmless = (OSError, OperationalError, InterfaceError, DeliveryError, NotReady)

    def __init__(self, *, debug: bool = False) -> None:
        super().__init__()
        self.debug = debug

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        ours = record.name.partition(".")[0] == "gateway"
        if ours and error is not None and not self.debug and not isinstance(error, self.harmless):
            told = wordless(error)
            record.exc_info = (type(told), told, told.__traceback__)
        return True


class Mistakes(logging.Filter):
    """What Django refuses is the asker's mistake, such as a Host that is not in ALLOWED_HOSTS: one plain line and no
    traceback. Any stranger can ask for them without end, so of each kind there are so many a minute, and the next one
    says how many there were beside."""

    a_minute = Rate(10, 60.0)
    longest = 500

    def __init__(self) -> None:
        super().__init__()
        self._paces = Kept(lambda: Meter((self.a_minute,)), 100)
        self._left_out: Counter[tuple[str, int]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", 0)
        if not record.name.startswith("django.") or not 400 <= status < 500:
            return True
        kind = record.name, status
        if self._paces.of(kind).admit():
            self._left_out[kind] += 1
            return False
        beside = self._left_out.pop(kind, 0)
        record.msg = record.getMessage()[: self.longest] + (f" (and {beside} more like it)" if beside else "")
        record.args, record.exc_info, record.exc_text = (), None, None
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class Line(logging.Formatter):
    """A line for people, with the name of the event, if it has one, at its end."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:
        name = getattr(record, "event", "")
        return f"{super().formatMessage(record)} [{name}]" if name else super().formatMessage(record)


def formatter(kind: str) -> logging.Formatter:
    """Of LOG_FORMAT: "line", or "json" for one JSON object a line."""
    return json_formatter() if kind == "json" else Line()


def json_formatter() -> logging.Formatter:
    # A third of a second to import: only whoever wants JSON waits for it.
    from structlog.processors import JSONRenderer
    from structlog.stdlib import ProcessorFormatter

    class Json(ProcessorFormatter):
        def format(self, record: logging.LogRecord) -> str:
            # Once more, over the ids and the traceback that were added to the message.
            return redact(super().format(record))

    drop, render = ProcessorFormatter.remove_processors_meta, JSONRenderer(ensure_ascii=True, default=str)
    return Json(foreign_pre_chain=[facts], processors=[drop, render])


NODE = f"{socket.gethostname()}:{os.getpid()}"


def facts(_: Any, __: str, found: Any) -> dict[str, Any]:
    """structlog's dict of a record → ours: `time` (UTC), `level`, `logger`, `node`, `message`; where there are any,
    `event`, the ids, and `error`, a traceback."""
    record: logging.LogRecord = found["_record"]
    ids = {name: getattr(record, name) for name in ("event", *IDS) if getattr(record, name, None) is not None}
    return {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "node": NODE,
        "message": found["event"],
        **ids,
        **({"error": record.exc_text} if record.exc_text else {}),
        "_record": record,
        "_from_structlog": False,
    }
