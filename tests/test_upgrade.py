"""An upgrade node by node: the old release runs beside the migrated database, and its rows are read by the new one."""

from typing import Any

import pytest
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

FIRST = {"gateway": 11, "gateway_web": 3}
"""Those before them belong to 0.1, which nobody runs beside anything older."""
ADDING = (migrations.CreateModel, migrations.AddIndex, migrations.RemoveIndex, migrations.AlterModelOptions)
ALTERING = (migrations.AlterField, migrations.RemoveConstraint, migrations.AddConstraint)
LOOKED_AT = {
    ("gateway", "0011_beats_and_owners", "owner"),
    ("gateway", "0012_one_index_for_what_was_said", "message_said_once"),
}
"""Columns and keys that are altered in a way that the release before does not notice."""


def breaks(label: str, name: str, operation: Operation) -> str:
    """Why a process of the release before could not go on beside it; "" where it can."""
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return next((why for inner in operation.database_operations if (why := breaks(label, name, inner))), "")
    if isinstance(operation, ADDING):
        return ""
    if isinstance(operation, migrations.AddField):
        field: Any = operation.field
        return "" if field.null or field.has_db_default() or field.many_to_many else f"{operation.name} has no default"
    if isinstance(operation, ALTERING) and (label, name, _altered(operation)) in LOOKED_AT:
        return ""
    return f"{type(operation).__name__} changes what the release before writes"


def _altered(operation: Any) -> str:
    return str(operation.constraint.name if isinstance(operation, migrations.AddConstraint) else operation.name)


@pytest.mark.django_db
def test_migrations_only_add() -> None:
    loader = MigrationLoader(connection)
    looked_at = 0
    for (label, name), migration in loader.disk_migrations.items():
        if label in FIRST and int(name[:4]) >= FIRST[label]:
            looked_at += 1
            for operation in migration.operations:
                assert breaks(label, name, operation) == "", f"{label} {name}"
    assert looked_at


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (migrations.RemoveField("node", "beat"), "RemoveField"),
        (migrations.RemoveConstraint("message", "message_seq_once"), "RemoveConstraint"),
        (migrations.RenameField("node", "beat", "tick"), "RenameField"),
        (migrations.RunSQL("DROP TABLE gateway_node"), "RunSQL"),
        (migrations.DeleteModel("node"), "DeleteModel"),
    ],
)
def test_one_that_takes_something_away_is_found(operation: Operation, why: str) -> None:
    assert breaks("gateway", "0012_more", operation).startswith(why)
