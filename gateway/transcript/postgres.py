"""The writer's SQL on PostgreSQL: all rows of a statement are one parameter, so that its text is prepared once whatever
their number, and costs this process next to nothing."""

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection
from django.db.transaction import atomic
from msgspec.json import encode

from gateway.fields import dump
from gateway.transcript.rows import CHOICE, CONVERSATIONS, Change, Codecs, ConversationRow, Table

if TYPE_CHECKING:
    from gateway.transcript.group import Memory


class Postgres:
    encode: ClassVar[Codecs] = {
        "JSONText": dump, "DateTimeField": lambda when: when.isoformat(), "UUIDField": str, CHOICE: str.__str__,
    }  # fmt: skip
    decode: ClassVar[Codecs] = {"JSONText": json.loads}

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def transaction(self) -> AbstractContextManager[None]:
        return atomic()

    def hold(self, lease: int) -> str | None:
        found = self._run(HOLD, [lease])
        return found[0][0] if found else None

    def select(
        self, table: Table[Any], columns: Iterable[str], where: str, keys: Sequence[Any], *more: Any, most: int = 0
    ) -> list[Any]:
        return self._run(_select(table, tuple(columns), where, most=most), [*more, _array(keys)])

    def stamp(self, transaction: str) -> str:
        return str(int(transaction) % 2**32) if transaction else ""

    def conversations(self, memory: "Memory", pks: Sequence[int]) -> dict[int, ConversationRow]:
        """Each version of a row bears the number of the transaction that wrote it."""
        known = {pk: memory.conversations[pk] for pk in pks if pk in memory.conversations}
        if len(known) < len(pks):
            return self._read(pks)
        stamps = dict(self._run(_select(CONVERSATIONS, STAMPED, "id = ANY(%s)", lock=True), [_array(pks)]))
        changed = [pk for pk in pks if pk in stamps and stamps[pk] != known[pk].stamp]
        return {pk: known[pk] for pk in stamps} | (self._read(changed) if changed else {})

    def _read(self, pks: Sequence[int]) -> dict[int, ConversationRow]:
        columns = (*CONVERSATIONS.names, STAMP)
        found: dict[int, ConversationRow] = {}
        for *values, stamp in self._run(_select(CONVERSATIONS, columns, "id = ANY(%s)", lock=True), [_array(pks)]):
            found[values[0]] = row = CONVERSATIONS.row(values, self.decode)
            row.stamp = stamp
        return found

    def insert(
        self, table: Table[Any], names: Sequence[str], rows: Sequence[list[Any]], changes: Sequence[Change]
    ) -> list[int]:
        last = _insert(table, tuple(names))
        return [pk for (pk,) in self._run(_beside(changes, last), [*_values(changes), _records(names, rows)])]

    def update(self, changes: Sequence[Change]) -> None:
        if changes:
            *others, last = changes
            self._execute(_beside(others, _update(last.table, last.names)), _values(changes))

    def _run(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        found: list[Any] = self._execute(sql, parameters).fetchall()
        return found

    def _execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        with self._connection.wrap_database_errors:
            return self._connection.connection.own_cursor.execute(sql, parameters, prepare=True)


HOLD = "SELECT pg_current_xact_id()::text FROM gateway_node WHERE id = %s FOR KEY SHARE"
STAMP = "xmin::text"
STAMPED = ("id", STAMP)


def _array(keys: Sequence[Any]) -> Any:
    """Numbers as the text of an array, which costs less than the statement; texts are left to the driver."""
    return f"{{{','.join(map(str, keys))}}}" if keys and isinstance(keys[0], int) else list(keys)


def _beside(changes: Sequence[Change], last: str) -> str:
    """One statement, and one question to the server, for all that a group writes."""
    return _together(tuple((table, names) for table, names, _ in changes), last) if changes else last


@lru_cache(maxsize=1000)
def _together(changes: tuple[tuple[Table[Any], tuple[str, ...]], ...], last: str) -> str:
    others = ", ".join(f"change{place} AS ({_update(*change)})" for place, change in enumerate(changes))
    return f"WITH {others} {last}"


def _values(changes: Iterable[Change]) -> list[str]:
    return [_records((*names, "id"), rows) for _, names, rows in changes]


def _records(names: Iterable[str], rows: Iterable[list[Any]]) -> str:
    # Nothing but texts, numbers and truths, which are JSON texts already where they are more.
    return encode([dict(zip(names, row, strict=True)) for row in rows]).decode()


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(name if name == STAMP else f'"{name}"' for name in names)


@lru_cache(maxsize=1000)
def _select(table: Table[Any], columns: tuple[str, ...], where: str, *, lock: bool = False, most: int = 0) -> str:
    condition = where.replace("IN {keys}", "= ANY(%s)")
    end = (f" LIMIT {most}" if most else "") + (" FOR NO KEY UPDATE" if lock else "")
    return f"SELECT {_quoted(columns)} FROM {table.name} WHERE {condition} ORDER BY id{end}"  # noqa: S608


@lru_cache(maxsize=1000)
def _recordset(table: Table[Any], names: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{name}" {_type(table, name)}' for name in names)
    return f"json_to_recordset(%s::json) AS new({columns})"


def _type(table: Table[Any], name: str) -> str:
    """A text's length is checked where it is stored."""
    of_column = {column.column: column for column in table.fields.values()}
    kind = str(of_column[name].rel_db_type(connection) if name == "id" else of_column[name].db_type(connection))
    return "text" if kind.startswith("varchar") else kind


@lru_cache(maxsize=10)
def _insert(table: Table[Any], names: tuple[str, ...]) -> str:
    columns = _quoted(names)
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {_recordset(table, names)} RETURNING id"  # noqa: S608


@lru_cache(maxsize=1000)
def _update(table: Table[Any], names: tuple[str, ...]) -> str:
    assignments = ", ".join(f'"{name}" = new."{name}"' for name in names)
    records = _recordset(table, (*names, "id"))
    return f"UPDATE {table.name} AS old SET {assignments} FROM {records} WHERE old.id = new.id"  # noqa: S608
