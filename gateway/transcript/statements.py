"""The writer's own SQL: each statement once for all rows of a group, its text kept. The ORM builds a query in the time
in which the database answers ten.

Names in it come from the models, values are parameters; nothing from outside is ever part of a statement.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models

from gateway.models import Message

M = TypeVar("M", bound=models.Model)

ROWS_A_STATEMENT = 20
KEYS_A_STATEMENT = 500
DB = DEFAULT_DB_ALIAS


def select(
    model: type[M], column: str, keys: Sequence[Any], also: str = "", value: Any = None, *, lock: bool = False
) -> Iterable[M]:
    """The rows whose `column` is one of `keys` (and whose `also` is `value`), in order of their primary keys."""
    for start in range(0, len(keys), KEYS_A_STATEMENT):
        some = keys[start : start + KEYS_A_STATEMENT]
        sql = _select(model, column, len(some), also, lock and connections[DB].features.has_select_for_update)
        yield from model._default_manager.raw(sql, [*some, value] if also else some)


@lru_cache(maxsize=2000)
def _select(model: type[models.Model], column: str, count: int, also: str, lock: bool) -> str:
    table, marks = model._meta.db_table, ", ".join(["%s"] * count)
    condition = f"{column} IN ({marks})" + (f" AND {also} = %s" if also else "")
    return f"SELECT * FROM {table} WHERE {condition} ORDER BY id" + (" FOR NO KEY UPDATE" if lock else "")  # noqa: S608


def statuses(pks: Iterable[int]) -> dict[int, str]:
    wanted = sorted(pks)
    found: dict[int, str] = {}
    connection = connections[DB]
    with connection.cursor() as cursor:
        for start in range(0, len(wanted), KEYS_A_STATEMENT):
            some = wanted[start : start + KEYS_A_STATEMENT]
            marks = ", ".join(["%s"] * len(some))
            cursor.execute(f"SELECT id, status FROM {Message._meta.db_table} WHERE id IN ({marks})", some)  # noqa: S608
            found |= dict(cursor.fetchall())
    return found


@lru_cache(maxsize=1)
def _message_columns() -> list[Any]:
    return [field for field in Message._meta.concrete_fields if not field.primary_key]


@lru_cache(maxsize=ROWS_A_STATEMENT)
def _insert(count: int) -> str:
    names = ", ".join(connections[DB].ops.quote_name(field.column) for field in _message_columns())
    row = f"({', '.join(['%s'] * len(_message_columns()))})"
    rows = ", ".join([row] * count)
    return f"INSERT INTO {Message._meta.db_table} ({names}) VALUES {rows} RETURNING id"  # noqa: S608


def insert(messages: Sequence[Message]) -> None:
    """Writes new rows in their order, and gives each its primary key."""
    connection = connections[DB]
    with connection.cursor() as cursor:
        for start in range(0, len(messages), ROWS_A_STATEMENT):
            some = messages[start : start + ROWS_A_STATEMENT]
            values = [
                field.get_db_prep_save(getattr(message, field.attname), connection)
                for message in some
                for field in _message_columns()
            ]
            cursor.execute(_insert(len(some)), values)
            for message, (pk,) in zip(some, cursor.fetchall(), strict=True):
                message.pk = pk
                message._state.adding = False


def update(changes: Mapping[tuple[type[models.Model], int], Mapping[str, Any]]) -> None:
    """One statement for all rows of a model that change the same columns."""
    connection = connections[DB]
    alike: dict[tuple[type[models.Model], tuple[str, ...]], list[list[Any]]] = defaultdict(list)
    for (model, pk), fields in changes.items():
        columns: list[Any] = [model._meta.get_field(name) for name in fields]
        values = [
            column.get_db_prep_save(value, connection) for column, value in zip(columns, fields.values(), strict=True)
        ]
        alike[(model, tuple(column.column for column in columns))].append([*values, pk])
    with connection.cursor() as cursor:
        for (model, names), rows in alike.items():
            cursor.executemany(_update(model, names), rows)


@lru_cache(maxsize=1000)
def _update(model: type[models.Model], names: tuple[str, ...]) -> str:
    assignments = ", ".join(f"{connections[DB].ops.quote_name(name)} = %s" for name in names)
    return f"UPDATE {model._meta.db_table} SET {assignments} WHERE id = %s"  # noqa: S608
