"""Several gateway processes that are one gateway, over a PostgreSQL and a Redis of their own."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.lab import Intake
from tests.chaos.rows import read
from tests.fake_telegram import FakeTelegram, FakeUser, in_thread
from tests.gateway_process import GatewayProcess
from tests.private_servers import PrivatePostgres, PrivateRedis, missing_private_servers, until

POLLERS_PART = 17  # Of the bot "bot" on Telegram; test_parts says that it stays so.


@dataclass
class Nodes:
    telegram: FakeTelegram
    gateways: list[GatewayProcess]
    postgres: PrivatePostgres
    redis: PrivateRedis

    def people(self, count: int, first: int = 1000) -> list[FakeUser]:
        return [self.telegram.user(first + n) for n in range(count)]

    @property
    def any(self) -> GatewayProcess:
        """For questions about the rows, which all of them share."""
        return self.gateways[0]

    def log_text(self) -> str:
        return "\n".join(f"--- {one.port}\n{one.log_text()[-2500:]}" for one in self.gateways)


@contextlib.contextmanager
def nodes(
    count: int, application: str, *, intake: Intake = "polling", latency: float = 0.0, **env: str
) -> Iterator[Nodes]:
    """Gateways over a map of tests/chaos/maps.py, not started yet; `env` goes to each. By webhook, the first has the
    address that Telegram knows."""
    with contextlib.ExitStack() as stack:
        telegram = stack.enter_context(in_thread(FakeTelegram(latency=latency)))
        postgres = stack.enter_context(PrivatePostgres(fsync="off", max_connections=300))
        redis = stack.enter_context(PrivateRedis())
        wanted = {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "SECRET_KEY": "the same for all of them, and as long as one of fifty characters",
            "FLOOD_LIMITS": "off",
            "RATE_LIMITS": "off",
            "DATABASE_URL": postgres.url,
            "CHANNELS_URL": redis.url,
            **env,
        }
        gateways = [GatewayProcess(wanted, application=application) for _ in range(count)]
        if intake == "webhook":
            for gateway in gateways:
                gateway.env["TELEGRAM_WEBHOOK_URL"] = gateways[0].url
        for gateway in gateways:
            stack.callback(gateway.close)
        yield Nodes(telegram, gateways, postgres, redis)


def owned(here: Nodes) -> list[int]:
    """How many parts each node has."""
    sql = "SELECT count(p.number) FROM gateway_node n LEFT JOIN gateway_part p ON p.owner_id = n.id GROUP BY n.id"
    return sorted(row[0] for row in read(here.any, sql))


def owner(here: Nodes, part: int) -> GatewayProcess:
    sql = f"SELECT n.place FROM gateway_part p JOIN gateway_node n ON n.id = p.owner_id WHERE p.number = {part}"
    pid = int(read(here.any, sql)[0][0].rpartition(" ")[2])
    return next(one for one in here.gateways if one.process and one.process.pid == pid)


def leader(here: Nodes) -> GatewayProcess:
    """The one that polls."""
    return owner(here, POLLERS_PART)


def balanced(here: Nodes, count: int) -> bool:
    parts = owned(here)
    return len(parts) == count and sum(parts) == 256 and max(parts) - min(parts) <= 1


def start(here: Nodes, *, within: float = 90) -> None:
    for gateway in here.gateways:
        gateway.start(within=within)
        for other in here.gateways:  # They have their tables now.
            other.log_file.touch()
    until(lambda: balanced(here, len(here.gateways)), "the parts are not shared out", within)


def lacks() -> str:
    return missing_private_servers()
