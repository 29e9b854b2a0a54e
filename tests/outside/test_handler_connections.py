"""Handlers that look something up and then block must not use the database server up."""

import time

import psycopg
import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram
from tests.services import postgres_database

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]
READERS = 40
MOST = 20
OWN = 20  # the writer's, the readers', the pages'; and those that are one too many, until they are given back


def test_handlers_hold_only_so_many_connections_of_the_server(
    telegram: FakeTelegram, start_gateway: StartGateway
) -> None:
    with postgres_database() as url:
        gateway = start_gateway({"DATABASE_URL": url, "HANDLER_CONNECTIONS_MAX": str(MOST)}, application="librarian")
        readers, quick = [telegram.user(100 + n) for n in range(READERS)], telegram.user(1)
        for reader in readers:
            reader.says("look up")
        time.sleep(1.0)
        quick.says("quick")
        most = 0
        with psycopg.connect(url, autocommit=True) as connection:
            deadline = time.monotonic() + 60
            while not all(reader.answers for reader in readers):
                assert time.monotonic() < deadline
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                ).fetchone()
                most = max(most, row[0] if row else 0)
                time.sleep(0.05)
        print(f"{READERS} handlers that look up and wait, {MOST} allowed: at most {most} connections")
        assert quick.answers == ["quick"]
        assert [reader.answers for reader in readers] == [["look up"]] * READERS
        assert MOST <= most <= MOST + OWN
        gateway.close()
