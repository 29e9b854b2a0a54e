"""Django's PostgreSQL backend, whose connections are given up where the server does not answer (gateway/patience.py).

A package of its own because Django finds a backend by its `base` module.
"""

from collections.abc import Generator
from functools import cached_property
from time import monotonic
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from gateway import patience


class Unanswered(psycopg.OperationalError):
    """The server has not answered in time. The connection is closed: what was asked may be done or not."""


class Connection(psycopg.Connection[Any]):
    @cached_property
    def own_cursor(self) -> psycopg.Cursor[Any]:
        """One for all that the writer asks, one thing after the other: a new one costs as much as its statement."""
        return psycopg.Cursor(self)

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super().wait(patiently(gen), *args, **kwargs)
        except Unanswered:
            self.close()  # At once: undoing the transaction would be one more question.
            raise


def patiently(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """A question to the server, as psycopg steps through it. It is resumed several times a second without any news."""
    began = monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and patience.is_over(waited := monotonic() - began):
                raise Unanswered(f"The server has not answered for {waited:.0f} s.")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


class DatabaseWrapper(base.DatabaseWrapper):
    """Leaves a connection that was given up alone: to tidy it up, Django would open another one and wait for that."""

    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})  # type: ignore[assignment]

    def _rollback(self) -> None:
        if self._is_open():
            super()._rollback()  # type: ignore[misc]

    def _set_autocommit(self, autocommit: bool) -> None:
        if autocommit and not self._is_open():  # The end of a transaction; its beginning must fail.
            self.close()
        else:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _is_open(self) -> bool:
        return self.connection is not None and not self.connection.closed
