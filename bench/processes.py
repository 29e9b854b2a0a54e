"""One gateway of several processes over a PostgreSQL and a Redis of its own, on all processors."""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg

from bench.contestants import PROCESSORS, START_SECONDS, Driver, Gateway, environment
from tests.gateway_process import free_port
from tests.private_servers import PrivatePostgres, PrivateRedis, missing_private_servers, until

SHARES = "SELECT count(p.number) FROM gateway_node n LEFT JOIN gateway_part p ON p.owner_id = n.id GROUP BY n.id"


class Anywhere(Gateway):
    """The system says on which processor."""

    processors: ClassVar[set[int]] = set(PROCESSORS)


@dataclass(frozen=True)
class Cluster:
    token: str
    gateways: list[Anywhere]
    postgres: PrivatePostgres

    @property
    def name(self) -> str:
        return f"{len(self.gateways)} process{'es' if len(self.gateways) > 1 else ''}"

    @property
    def pids(self) -> list[int]:
        return [one.process.pid for one in self.gateways if one.process is not None]

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.gateways]

    @property
    def load(self) -> dict[str, Any]:
        """Telegram's side, and what else is looked at."""
        assert self.postgres.process is not None
        return {"chats": 100, "connections": 48, "window": 200, "database": self.postgres.process.pid}


def lacks_nothing() -> None:
    assert not missing_private_servers(), f"{missing_private_servers()} not installed"


@contextlib.contextmanager
def cluster(count: int, driver: Driver) -> Iterator[Cluster]:
    token = f"{1_000_000_000 + free_port()}:{'A' * 35}"
    with ExitStack() as stack:
        postgres = stack.enter_context(PrivatePostgres(max_connections=300))
        env = environment(driver, token) | {
            "DATABASE_URL": postgres.url,
            "CHANNELS_URL": stack.enter_context(PrivateRedis()).url,
            "SECRET_KEY": "the same for all of them, and as long as one of fifty characters",
        }
        gateways = [Anywhere(env, server="uvicorn") for _ in range(count)]
        for one in gateways:
            stack.callback(one.close)
            one.env["TELEGRAM_WEBHOOK_URL"] = gateways[0].url
            one.begin()
            for other in gateways:  # They have their tables now.
                other.log_file.touch()
        driver.do("arrived", token=token, way="webhook")
        until(lambda: are_shared_out(postgres.url, count), "the parts are not shared out", START_SECONDS)
        yield Cluster(token, gateways, postgres)


def are_shared_out(url: str, count: int) -> bool:
    with psycopg.connect(url) as connection:
        shares = [row[0] for row in connection.execute(SHARES)]
    return len(shares) == count and sum(shares) == 256 and max(shares) - min(shares) <= 1
