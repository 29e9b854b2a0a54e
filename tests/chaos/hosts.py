"""Hosts on one machine: network namespaces with addresses of their own, and a cable to each server that can be pulled.

A pulled cable is silent: nothing is refused, and lines that were open stay so until somebody's patience ends.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.nodes import Nodes
from tests.fake_telegram import FakeTelegram, in_thread
from tests.gateway_process import GatewayProcess
from tests.private_servers import PrivatePostgres, PrivateRedis, missing_private_servers

CABLES = ("postgres", "redis", "world")
NET = 64 + os.getpid() % 128  # So that two runs beside each other do not meet.


def lacks() -> str:
    if missing := missing_private_servers():
        return missing
    name = f"sb{NET}try"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        return "this machine permits no network namespaces"
    ip("netns", "del", name)
    return ""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)


class Host(GatewayProcess):
    """A gateway on a host of its own. `address`: its own, towards the world; `here(cable)`: ours at its other end."""

    def __init__(self, number: int, env: Mapping[str, str], application: str) -> None:
        self.number, self.name = number, f"sb{NET}h{number}"
        self.address = self._address("world", 2)
        super().__init__(env, application=application)
        self.env["HOST"] = self.address

    def _address(self, cable: str, end: int) -> str:
        return f"10.{NET}.{self.number}.{4 * CABLES.index(cable) + end}"

    def here(self, cable: str) -> str:
        return self._address(cable, 1)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def _command(self) -> list[str]:
        return ["ip", "netns", "exec", self.name, *super()._command()]

    def build(self) -> None:
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        for cable in CABLES:
            end = self._end(cable)
            ip("link", "add", end, "type", "veth", "peer", "name", cable, "netns", self.name)
            ip("addr", "add", f"{self.here(cable)}/30", "dev", end)
            ip("-n", self.name, "addr", "add", f"{self._address(cable, 2)}/30", "dev", cable)
            ip("link", "set", end, "up")
            ip("-n", self.name, "link", "set", cable, "up")

    def _end(self, cable: str) -> str:
        return f"{self.name}{cable[0]}"

    def pull(self, cables: Sequence[str]) -> None:
        for cable in cables:
            ip("link", "set", self._end(cable), "down")

    def plug(self, cables: Sequence[str]) -> None:
        for cable in cables:
            ip("link", "set", self._end(cable), "up")

    def close(self) -> None:
        super().close()
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "del", self.name)  # Its cables go with it.


class OpenPostgres(PrivatePostgres):
    """Listens to the hosts, too."""

    def __init__(self, **settings: object) -> None:
        super().__init__(listen_addresses="*", **settings)
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all 10.{NET}.0.0/16 trust\n")


class OpenRedis(PrivateRedis):
    def command(self) -> list[str]:
        return [*super().command(), "--bind", "*", "--protected-mode", "no"]


@dataclass
class Hosts(Nodes):
    hosts: list[Host]


@contextlib.contextmanager
def hosts(count: int, application: str, *, latency: float = 0.0, **env: str) -> Iterator[Hosts]:
    """Gateways over a map of tests/chaos/maps.py, each on a host of its own, not started yet."""
    with contextlib.ExitStack() as stack:
        telegram = FakeTelegram(latency=latency)
        telegram.host = "0.0.0.0"  # the hosts reach it by addresses of their own
        stack.enter_context(in_thread(telegram))
        postgres = stack.enter_context(OpenPostgres(fsync="off", max_connections=300))
        redis = stack.enter_context(OpenRedis())
        common: dict[str, Any] = {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "SECRET_KEY": "the same for all of them, and as long as one of fifty characters",
            "FLOOD_LIMITS": "off",
            "ALLOWED_HOSTS": "*",
            **env,
        }
        made = [Host(number, common, application) for number in range(1, count + 1)]
        for host in made:
            stack.callback(host.close)
            host.build()
            host.env["TELEGRAM_API_URL"] = f"http://{host.here('world')}:{telegram.port}"
            host.env["DATABASE_URL"] = f"postgres://postgres@{host.here('postgres')}:{postgres.port}/gateway"
            host.env["CHANNELS_URL"] = f"redis://{host.here('redis')}:{redis.port}/0"
        yield Hosts(telegram, list(made), postgres, redis, made)
