"""`manage.py startbot NAME`: a bot, its test, and its line in the application map."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.botfiles import CannotStart, NewBot


class Command(BaseCommand):
    help = "Makes a bot that answers at once, with its test, and puts it into the application map."
    # Nothing of the project needs to work for it.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="such as pizza_shop: its file, its path and its name on every chat")
        parser.add_argument("--package", default="bots", help="the folder that the project's bots are in")

    def handle(self, *args: Any, name: str, package: str, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        bot = NewBot(name, root, package, map_file(root))
        try:
            files = bot.write()
        except CannotStart as error:
            raise CommandError(str(error)) from None
        for file in files:
            self.stdout.write(f"  {file.relative_to(root)}")
        self.stdout.write(
            f"The bot {name!r} is made. 'make run' takes it in by itself, also while it runs.\n"
            f"  Talk with it:  {settings.PUBLIC_URL}/?bot={name}\n"
            f'  On any page:   the widget\'s tag with data-bot="{name}"\n'
            f"  On Telegram:   TELEGRAM_BOTS={name}=<token from @BotFather> make run\n"
            f"  Test it:       .venv/bin/python -m pytest {bot.test.relative_to(root)}"
        )


def map_file(root: Path) -> Path:
    module, _, _ = settings.ASGI_APPLICATION.rpartition(".")
    return root.joinpath(*module.split(".")).with_suffix(".py")
