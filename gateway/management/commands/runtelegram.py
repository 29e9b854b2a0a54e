"""`manage.py runtelegram`: the protocol servers alone, without a port."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway import node
from gateway.lifespan_player import LifespanPlayer, StartFailed
from gateway.management.commands.serve import check_database, find_application, rejoin, telegram
from gateway.types import Application

STOP_SECONDS = 27.0


class Command(BaseCommand):
    help = (
        "Runs bots, deliveries and intake without pages or sockets, until SIGTERM or Ctrl-C. Over PostgreSQL it is one "
        "of any number of processes; the web ones may run under any ASGI server."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        check_database()
        if not node.is_shared():
            raise CommandError(
                "Beside other processes the gateway needs PostgreSQL (DATABASE_URL): SQLite takes one. Use serve there."
            )
        failure = asyncio.run(self.run(find_application()))
        rejoin(failure)
        if failure:
            raise CommandError(failure)

    async def run(self, application: Application) -> str:
        """Why it could not start, or had to end; "" where it was told to."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        player = LifespanPlayer(application)
        try:
            await player.start()
        except StartFailed as failure:
            return str(failure)
        self.stdout.write(f"Switchboard runs without a port\n  Telegram:           {telegram()}\n")
        self.stdout.flush()
        await stop.wait()
        return await player.stop(STOP_SECONDS)
