"""What a run needs: a fake Telegram, a gateway process and its database, all its own."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from tests.fake_telegram import FakeTelegram, FakeUser, in_thread
from tests.gateway_process import GatewayProcess
from tests.private_servers import POSTGRES_FOLDERS, PrivatePostgres, until

Database = Literal["SQLite", "PostgreSQL"]
Intake = Literal["polling", "webhook"]


@dataclass
class Lab:
    telegram: FakeTelegram
    gateway: GatewayProcess
    postgres: PrivatePostgres | None = None

    def people(self, count: int, first: int = 1000) -> list[FakeUser]:
        return [self.telegram.user(first + n) for n in range(count)]

    def wait(self, condition: Callable[[], object], what: str, within: float = 60) -> None:
        """AssertionError with the end of the gateway's log where it does not come."""
        try:
            until(lambda: bool(condition()), what, within)
        except AssertionError:
            raise AssertionError(f"waited {within} s for {what}:\n{self.gateway.log_text()[-3000:]}") from None


@contextlib.contextmanager
def lab(
    application: str, *, database: Database = "SQLite", intake: Intake = "polling", latency: float = 0.0, **env: str
) -> Iterator[Lab]:
    """A gateway over a map of tests/chaos/maps.py, not started yet; `env` goes to it."""
    with contextlib.ExitStack() as stack:
        telegram = stack.enter_context(in_thread(FakeTelegram(latency=latency)))
        postgres = stack.enter_context(PrivatePostgres()) if database == "PostgreSQL" else None
        wanted = {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "FLOOD_LIMITS": "off",
            "RATE_LIMITS": "off",
            **({"DATABASE_URL": postgres.url} if postgres else {}),
            **({"TELEGRAM_WEBHOOK_URL": "{url}"} if intake == "webhook" else {}),
            **env,
        }
        gateway = GatewayProcess(wanted, application=application)
        stack.callback(gateway.close)
        yield Lab(telegram, gateway, postgres)


def lacks(*, postgres: bool = False, root: bool = False) -> str:
    """Why a run is impossible on this machine; empty where it is not."""
    if postgres and not POSTGRES_FOLDERS:
        return "PostgreSQL's server programs are not installed"
    return "only root may mount a small disk" if root and os.getuid() != 0 else ""
