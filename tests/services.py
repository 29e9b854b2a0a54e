"""Real PostgreSQL and Redis, where they can be reached."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
FIRST_REDIS_DATABASE = 8


def missing_services() -> str:
    """What cannot be reached, in words; empty when all is there."""
    missing = []
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=2).close()
    except psycopg.Error:
        missing.append("PostgreSQL")
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2) as client:
            client.ping()
    except redis.RedisError:
        missing.append("Redis")
    return " and ".join(missing)


@contextmanager
def postgres_database(template: str = "template1") -> Iterator[str]:
    """The URL of a database that lives as long as the block."""
    name = f"switchboard_{uuid.uuid4().hex[:12]}"
    on_server(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
    finally:
        on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def on_server(statement: str) -> None:
    with psycopg.connect(POSTGRES_URL, autocommit=True) as connection:
        connection.execute(statement.encode())


def redis_database() -> str:
    """The URL of a Redis database of this test process's own: several of them run at once."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"{REDIS_URL}/{FIRST_REDIS_DATABASE + worker % 8}"
