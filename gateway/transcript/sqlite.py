"""The writer's SQL on SQLite, on the driver's own connection: Django's cursor rewrites each statement at each call."""

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.db import DatabaseError
from django.db.transaction import TransactionManagementError, atomic

from gateway.fields import dump
from gateway.transcript.rows import CHOICE, CONVERSATIONS, Change, Codecs, ConversationRow, Table

if TYPE_CHECKING:
    from gateway.transcript.group import Memory


@lru_cache(maxsize=256)  # Nearly all of a group are its own moment.
def _moment(when: datetime) -> str:
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


class Transaction:
    """As `atomic` to the ORM within it, but begun and ended on the driver's own connection: Django's way to a BEGIN and
    a COMMIT is a quarter of what a group of one costs in Python. It is the outermost one of its connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        connection = self._connection
        if connection.connection is None:
            connection.connect()
        with connection.wrap_database_errors:
            connection.connection.execute("BEGIN IMMEDIATE")
        connection.autocommit, connection.in_atomic_block, connection.needs_rollback = False, True, False

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        connection = self._connection
        broken, connection.needs_rollback, connection.in_atomic_block = connection.needs_rollback, False, False
        try:
            if error is None and not broken:
                self._commit()
            else:
                self._undo()
        finally:
            connection.autocommit = True
        if error is None and broken:
            raise TransactionManagementError("An operation has gone on after an error that undoes its group.")
        if connection.run_on_commit:
            connection.run_and_clear_commit_hooks()

    def _commit(self) -> None:
        try:
            with self._connection.wrap_database_errors:
                self._connection.connection.commit()
        except DatabaseError:
            self._undo()
            raise

    def _undo(self) -> None:
        connection = self._connection
        connection.run_on_commit = []
        try:
            with connection.wrap_database_errors:
                connection.connection.rollback()
        except DatabaseError:
            connection.closed_in_transaction = False  # Else it would be left to `atomic` to forget it.
            connection.close()


class Sqlite:
    encode: ClassVar[Codecs] = {
        "JSONText": dump, "DateTimeField": _moment, "UUIDField": lambda uuid: uuid.hex, CHOICE: str.__str__,
    }  # fmt: skip
    decode: ClassVar[Codecs] = {
        "JSONText": json.loads,
        "DateTimeField": lambda when: when.replace(tzinfo=UTC),
        "UUIDField": UUID,
    }

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def transaction(self) -> AbstractContextManager[None]:
        connection = self._connection
        within = connection.in_atomic_block or not connection.autocommit
        return atomic() if within else Transaction(connection)

    def hold(self, lease: int) -> str | None:
        return "" if self._run("SELECT id FROM gateway_node WHERE id = ?", (lease,)) else None

    def select(
        self, table: Table[Any], columns: Iterable[str], where: str, keys: Sequence[Any], *more: Any, most: int = 0
    ) -> list[Any]:
        return self._run(_select(table, tuple(columns), where, most), [*more, dump(keys)])

    def stamp(self, transaction: str) -> str:
        return ""

    def conversations(self, memory: "Memory", pks: Sequence[int]) -> dict[int, ConversationRow]:
        """The whole file has a version, which changes with what any other connection commits."""
        ((version,),) = self._run("PRAGMA data_version", ())
        if memory.version != version:
            memory.forget_rows()
            memory.version = version
        known = memory.conversations
        missing = [pk for pk in pks if pk not in known]
        read = self._read(missing) if missing else {}
        return {pk: found for pk in pks if (found := known.get(pk) or read.get(pk)) is not None}

    def _read(self, pks: Sequence[int]) -> dict[int, ConversationRow]:
        found = self.select(CONVERSATIONS, CONVERSATIONS.names, "id IN {keys}", pks)
        return {values[0]: CONVERSATIONS.row(values, self.decode) for values in found}

    def insert(
        self, table: Table[Any], names: Sequence[str], rows: Sequence[list[Any]], changes: Sequence[Change]
    ) -> list[int]:
        self.update(changes)
        sql = _insert(table, tuple(names))
        with self._connection.wrap_database_errors:
            cursor = self._connection.connection.cursor()
            return [cursor.execute(sql, row).lastrowid for row in rows]

    def update(self, changes: Sequence[Change]) -> None:
        with self._connection.wrap_database_errors:
            for table, names, rows in changes:
                self._connection.connection.executemany(_update(table, names), rows)

    def _run(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        with self._connection.wrap_database_errors:
            found: list[Any] = self._connection.connection.execute(sql, parameters).fetchall()
        return found


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


@lru_cache(maxsize=1000)
def _select(table: Table[Any], columns: tuple[str, ...], where: str, most: int) -> str:
    # As one parameter, so that there is one text for any number of keys.
    condition = where.replace("%s", "?").format(keys="(SELECT value FROM json_each(?))")
    end = f" LIMIT {most}" if most else ""
    # Without the plus SQLite spares itself the sorting, and goes through all rows of a bot for one person's.
    return f"SELECT {_quoted(columns)} FROM {table.name} WHERE {condition} ORDER BY +id{end}"  # noqa: S608  # the models' names


@lru_cache(maxsize=10)
def _insert(table: Table[Any], names: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({_quoted(names)}) VALUES ({marks})"  # noqa: S608


@lru_cache(maxsize=1000)
def _update(table: Table[Any], names: tuple[str, ...]) -> str:
    assignments = ", ".join(f'"{name}" = ?' for name in names)
    return f"UPDATE {table.name} SET {assignments} WHERE id = ?"  # noqa: S608
