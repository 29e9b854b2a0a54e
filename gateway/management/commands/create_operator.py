"""`manage.py create_operator NAME`: one more person at the console."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway import operators


class Command(BaseCommand):
    help = "Makes an operator: a new user, or one who is there already. Prints the password that it makes, if any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--password", help="instead of a made one; also sets a new one for somebody there already")

    def handle(self, *args: Any, name: str, password: str | None, **options: Any) -> None:
        try:
            made = operators.promote_or_create(name, password)
        except operators.Unacceptable as reason:
            raise CommandError(str(reason)) from None
        self.stdout.write(f"{name} is an operator and may sign in at the console.")
        if made:
            self.stdout.write(f"The password, shown this once: {made}")
        elif password is None:
            self.stdout.write("The password stays as it was.")
