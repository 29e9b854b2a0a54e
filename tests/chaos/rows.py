"""What a gateway has in its database, read without touching it."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.gateway_process import NAME, GatewayProcess

Row = Sequence[Any]


def read(gateway: GatewayProcess, sql: str) -> list[Row]:
    """The rows of a query. A file whose gateway is dead is copied first: whoever opens it puts right what a crash left,
    and that is for the next gateway to do."""
    url = gateway.env.get("DATABASE_URL", "")
    if url:
        with psycopg.connect(url, connect_timeout=10) as connection:
            return list(connection.execute(sql.encode()))
    file = gateway.data_dir / NAME
    if gateway.running:
        return _read_file(file, sql)
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        for part in file.parent.glob(f"{NAME}*"):
            shutil.copyfile(part, Path(folder) / part.name)
        return _read_file(Path(folder) / NAME, sql)


def _read_file(file: Path, sql: str) -> list[Row]:
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as connection:
        return list(connection.execute(sql))


def one(gateway: GatewayProcess, sql: str) -> int:
    """The only value of a query that counts; 0 where there is none."""
    return int(read(gateway, sql)[0][0] or 0)


def unsettled(gateway: GatewayProcess) -> int:
    """Words on their way, in or out."""
    waiting = "'received', 'in_hand', 'queued', 'sending'"
    return one(gateway, f"SELECT count(*) FROM gateway_message WHERE status IN ({waiting})")
