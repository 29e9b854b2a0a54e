"""Rows that are asked for at every turn, over SQL that is made once: to make it takes Django ten times as long as the
answer takes the database."""

from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Model


class Kept:
    """The row that has a value in its column `by`: some of its columns, or all. For readers' threads."""

    def __init__(self, model: type[Model], by: str, *columns: str) -> None:
        self._model = model
        self._by: Any = model._meta.get_field(by)
        self._fields: list[Any] = [model._meta.get_field(name) for name in columns] or [*model._meta.concrete_fields]

    def row(self, value: Any) -> list[Any] | None:
        with connection.cursor() as cursor:
            cursor.execute(self._sql, [self._by.get_db_prep_value(value, connection)])
            found = cursor.fetchone()
        if found is None:
            return None
        values = list(found)
        for place, column, convert in self._converters:
            values[place] = convert(values[place], column, connection)
        return values

    def instance(self, value: Any) -> Any:
        """Of the model, or None."""
        values = self.row(value)
        names = [field.attname for field in self._fields]
        return None if values is None else self._model.from_db(connection.alias, names, values)

    @cached_property
    def _sql(self) -> str:
        name = connection.ops.quote_name
        columns = ", ".join(name(field.column) for field in self._fields)
        table = name(self._model._meta.db_table)
        return f"SELECT {columns} FROM {table} WHERE {name(self._by.column)} = %s"  # noqa: S608  # names of the models'

    @cached_property
    def _converters(self) -> list[tuple[int, Any, Any]]:
        columns = [field.get_col(self._model._meta.db_table) for field in self._fields]
        return [
            (place, column, convert)
            for place, column in enumerate(columns)
            for convert in connection.ops.get_db_converters(column) + column.get_db_converters(connection)
        ]
