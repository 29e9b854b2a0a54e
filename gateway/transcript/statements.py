"""The writer's own SQL: each statement once for all rows of a group, its text kept. The ORM builds a query in the time
in which the database answers ten.

Names in it come from the models, values are parameters; nothing from outside is ever part of a statement. What differs
between the databases is in sqlite.py and postgres.py.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from gateway.transcript.rows import MESSAGES, Change, Codec, Codecs, ConversationRow, Table
from gateway.transcript.sqlite import Sqlite

if TYPE_CHECKING:
    from gateway.transcript.group import Memory

R = TypeVar("R")
Encoders = list[tuple[int, Codec]]
"""By their places in a row, for the columns that the database does not take as they are."""

# In the words of the partial indexes.
UNSETTLED = "status IN ('received', 'in_hand')"
LEAVING = "status IN ('queued', 'sending')"


class Database(Protocol):
    """A connection, in its vendor's way. `encode` and `decode` are for the columns that are not as Python has them."""

    encode: ClassVar[Codecs]
    decode: ClassVar[Codecs]

    def __init__(self, connection: Any) -> None: ...

    def transaction(self) -> AbstractContextManager[None]:
        """What is written within it is written together, or not at all. The ORM may be used in it as in `atomic`."""

    def hold(self, lease: int) -> str | None:
        """Keeps a node's row as it is until the transaction ends. Gives the transaction's number where the database
        can be asked what became of it, else ""; None: there is no such row."""

    def select(
        self, table: Table[Any], columns: Iterable[str], where: str, keys: Sequence[Any], *more: Any, most: int = 0
    ) -> list[Any]:
        """Rows whose column is one of `keys`, by primary key. `where`: a condition, its `{keys}` the keys. `most`: so
        many of them; 0: all."""

    def stamp(self, transaction: str) -> str:
        """What proves that a row is as that transaction wrote it; "" where a row has no such thing."""

    def conversations(self, memory: "Memory", pks: Sequence[int]) -> dict[int, ConversationRow]:
        """Locks conversations, always in the same order so that two processes cannot wait for each other, and gives
        them as they are now: from memory those that are proved not to have changed."""

    def insert(
        self, table: Table[Any], names: Sequence[str], rows: Sequence[list[Any]], changes: Sequence[Change]
    ) -> list[int]:
        """Writes new rows in their order and gives their primary keys. Makes changes of others as well."""

    def update(self, changes: Sequence[Change]) -> None:
        """Writes columns of rows that are there. None of the rows is in two of the changes."""


@cache
def _kind(vendor: str) -> type[Database]:
    if vendor == "sqlite":
        return Sqlite
    from gateway.transcript.postgres import Postgres  # Its driver takes its time to be imported.

    return Postgres


def database() -> Database:
    """This thread's. To be asked for once: django.db's `connection` is looked up anew for each of its attributes."""
    connection = connections[DEFAULT_DB_ALIAS]
    return _kind(connection.vendor)(connection)


def select(base: Database, table: Table[R], where: str, keys: Collection[Any], *more: Any, most: int = 0) -> list[R]:
    """Rows as the writer has them, in order of their primary keys. `more` are the parameters before the keys."""
    if not keys:
        return []
    found = base.select(table, table.names, where, list(keys), *more, most=most)
    return [table.row(values, base.decode) for values in found]


def statuses(base: Database, pks: Collection[int]) -> dict[int, str]:
    return dict(base.select(MESSAGES, ("id", "status"), "id IN {keys}", list(pks))) if pks else {}


def unsettled(base: Database, conversations: Collection[int]) -> list[tuple[int, int]]:
    """Inbound rows without an end state, as (conversation, row)."""
    if not conversations:
        return []
    where = f"conversation_id IN {{keys}} AND {UNSETTLED}"
    return base.select(MESSAGES, ("conversation_id", "id"), where, list(conversations))


def waiting(
    base: Database, conversations: Collection[int], most: int
) -> tuple[dict[int, list[Any]], dict[int, list[Any]]]:
    """Inbound rows without an end state, and answers that are queued, by their conversations."""
    inbound = select(base, MESSAGES, f"conversation_id IN {{keys}} AND {UNSETTLED}", conversations, most=most)
    queued = f"conversation_id IN {{keys}} AND {LEAVING} AND status = 'queued' AND NOT announcement"
    return _by_conversation(inbound), _by_conversation(select(base, MESSAGES, queued, conversations, most=most))


def _by_conversation(rows: Iterable[Any]) -> dict[int, list[Any]]:
    of: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        of[row.conversation_id].append(row)
    return of


def insert(base: Database, table: Table[R], rows: Sequence[R], changes: Sequence[Change] = ()) -> None:
    """Writes new rows in their order, and gives each its primary key; and changes of others."""
    if not rows:
        base.update(changes)
        return
    get, encoders = _reading(type(base), table, table.attributes[1:])
    keys = base.insert(table, table.names[1:], _encoded(encoders, map(get, rows)), changes)
    for one, pk in zip(rows, keys, strict=True):
        one.pk = pk  # type: ignore[attr-defined]


def changes_of_rows(base: Database, table: Table[Any], rows: Iterable[Any]) -> Iterator[Change]:
    """What has changed of each, together of all that changed the same columns."""
    alike: dict[frozenset[str], list[Any]] = defaultdict(list)
    for one in rows:
        if one.changed:
            alike[frozenset(one.changed)].append(one)
            one.changed.clear()
    for changed, some in alike.items():
        names, get, encoders = _reading_changed(type(base), table, changed)
        yield Change(table, names, _encoded(encoders, map(get, some)))


def changes_of_columns(base: Database, table: Table[Any], changes: Mapping[int, Mapping[str, Any]]) -> Iterator[Change]:
    """The same of rows that are known by their primary keys alone."""
    alike: dict[tuple[str, ...], list[list[Any]]] = defaultdict(list)
    for pk, fields in changes.items():
        alike[tuple(fields)].append([*fields.values(), pk])
    for attributes, rows in alike.items():
        names, encoders = _writing(type(base), table, attributes)
        yield Change(table, names, _encoded(encoders, rows))


@lru_cache(maxsize=1000)
def _reading_changed(
    kind: type[Database], table: Table[Any], changed: frozenset[str]
) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], Encoders]:
    attributes = sorted(changed)
    get, encoders = _reading(kind, table, (*attributes, "pk"))
    return tuple(table.fields[name].column for name in attributes), get, encoders


@lru_cache(maxsize=1000)
def _reading(
    kind: type[Database], table: Table[Any], attributes: tuple[str, ...]
) -> tuple[Callable[[Any], tuple[Any, ...]], Encoders]:
    return attrgetter(*attributes), table.codecs(kind.encode, attributes)


@lru_cache(maxsize=1000)
def _writing(kind: type[Database], table: Table[Any], attributes: tuple[str, ...]) -> tuple[tuple[str, ...], Encoders]:
    return tuple(table.fields[name].column for name in attributes), table.codecs(kind.encode, attributes)


def _encoded(encoders: Encoders, rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Rows as the database takes them: column by column, since a call for each row costs as much as what it does."""
    encoded = list(map(list, rows))
    for place, encode in encoders:
        for values in encoded:
            if values[place] is not None:
                values[place] = encode(values[place])
    return encoded
