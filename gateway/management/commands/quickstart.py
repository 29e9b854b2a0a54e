"""`manage.py quickstart`: everything that a first run needs. A second run changes nothing."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from gateway import operators


class Command(BaseCommand):
    help = "Prepares the database and the first operator. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.prepare_database()
            self.first_operator()
        except Error as error:
            raise CommandError(f"The database cannot be used (DATABASE_URL): {error}") from None

    def prepare_database(self) -> None:
        make_folder()
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
        self.stdout.write("Preparing the database…")
        self.stdout.flush()
        call_command("migrate", verbosity=0, interactive=False)

    def first_operator(self) -> None:
        if operators.is_there_one():
            self.stdout.write("Everything is prepared.")
            return
        name, password = operators.create_first()
        self.stdout.write(
            "The first operator, for the console. The password is shown this once:\n"
            f"  name:     {name}\n"
            f"  password: {password}\n"
            f"Lost it? .venv/bin/python manage.py changepassword {name}"
        )


def make_folder() -> None:
    """SQLite makes its file but not the folder of it."""
    if connection.vendor != "sqlite":
        return
    name = str(connection.settings_dict["NAME"])
    if name and not name.startswith(("file:", ":memory:")):
        Path(name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
