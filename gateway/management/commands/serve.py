"""`manage.py serve`: pages, sockets and protocol servers in one process, on one port."""

import logging
import os
import sys
import traceback
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection, connections
from django.db.migrations.executor import MigrationExecutor

from gateway import node
from gateway.engine import LOST
from gateway.listening import CannotListen, check_address
from gateway.reload import BROKEN_SOURCES, Reloader, follow_parent, is_child
from gateway.traces import authors_part

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104  # addresses to show, not to bind


class Command(BaseCommand):
    help = "Serves everything on one port until SIGTERM or Ctrl-C; a second signal stops at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="instead of HOST")
        parser.add_argument("--port", type=int, default=settings.PORT, help="instead of PORT, which links follow")
        parser.add_argument("--quickstart", action="store_true", help="first does what the command quickstart does")
        parser.add_argument("--reload", action="store_true", help="starts again when a source file changes")

    def handle(self, *args: Any, host: str, port: int, quickstart: bool, reload: bool, **options: Any) -> None:
        try:
            check_address(host, port)
        except CannotListen as error:
            raise CommandError(str(error)) from None
        if reload and not is_child():
            sys.exit(self.reloader().run())
        if reload:
            follow_parent()
        self.serve(host, port, quickstart)

    def reloader(self) -> Reloader:
        command = [sys.executable, *sys.orig_argv[1:]]
        return Reloader(command, Path(settings.BASE_DIR), self.say, [Path(settings.DATA_DIR)])

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def serve(self, host: str, port: int, quickstart: bool) -> None:
        if quickstart:
            # In this process, since a second start of Python and Django is most of what a restart takes.
            call_command("quickstart", stdout=self.stdout)
        check_database()
        application = find_application()

        # Twisted's reactor is installed by the import: not before it is needed.
        from gateway.daphne_server import serve

        def announce(actual: int) -> None:
            self.say("\n".join(announcement(host, actual)))

        failure = serve(application, host, port, announce)
        rejoin(failure)
        if failure:
            raise CommandError(failure)


def rejoin(failure: str) -> None:
    """What others have taken over is theirs; this process begins again, without anything that it had in memory."""
    if failure == LOST and node.is_shared():
        logging.getLogger(__name__).warning("Starting again, as one more node.")
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # its own command, once more


def check_database() -> None:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        raise CommandError(f"The database cannot be used (DATABASE_URL): {error}") from None
    finally:
        connections.close_all()
    if missing:
        raise CommandError("The database is not prepared for this version. Run: .venv/bin/python manage.py quickstart")


def find_application() -> Any:
    try:
        return get_default_application()
    except ImproperlyConfigured as error:
        # Channels says only that the import failed; its cause is what helps.
        cause = f": {error.__context__}" if error.__context__ else ""
        if isinstance(error.__context__, ImportError):
            show(error.__context__)
        raise CommandError(f"{error}{cause}", returncode=BROKEN_SOURCES) from None
    except Exception as error:  # Whatever a bot's module raises while it is imported.
        show(error)
        raise CommandError(
            f"{settings.ASGI_APPLICATION} cannot be imported: see above.", returncode=BROKEN_SOURCES
        ) from None


def show(error: BaseException) -> None:
    traceback.print_exception(type(error), error, authors_part(error.__traceback__))


def announcement(host: str, port: int) -> list[str]:
    """What to open and how Telegram stands. Holds no secret."""
    here = f"http://{bracketed(WILDCARDS.get(host, host))}:{port}"
    base = here if f"http://{settings.HOST}:{settings.PORT}" == settings.PUBLIC_URL else settings.PUBLIC_URL
    return [
        f"Switchboard listens on http://{bracketed(host)}:{port}",
        f"  Talk with the bot:  {base}/",
        f"  Operators' console: {base}/console/",
        f"  Telegram:           {telegram()}",
        "  Stop:               Ctrl-C",
    ]


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def telegram() -> str:
    names = [*(["bot"] if settings.TELEGRAM_BOT_TOKEN else []), *settings.TELEGRAM_BOTS]
    if not names:
        return "off. To switch it on, get a token from @BotFather, then: TELEGRAM_BOT_TOKEN=… make run"
    way = f"webhook at {settings.TELEGRAM_WEBHOOK_URL}" if settings.TELEGRAM_WEBHOOK_URL else "long polling"
    return f"on, by {way}, for {', '.join(dict.fromkeys(names))}"
