"""What `manage.py doctor` looks at: the machine, the settings, the database and its rows, Redis, the port."""

import http.client
import json
import platform
import resource
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from gateway import node
from gateway.doctor import Examination, Finding, fail, ok, warn
from gateway.figures import count_rows
from gateway.listening import CannotListen, check_address
from gateway.models import Node

GIB = 1024**3
LEAST_FREE, LITTLE_FREE = 0.1 * GIB, GIB
SPARE_FILES = 256
# Of the gateway's own: writer, pulse, readers, and pages at a busy time.
OWN_CONNECTIONS = 30
ASK_SECONDS = 2.0
MOST_SKEW_SECONDS = 2.0
LONG_QUEUED_SECONDS = 300.0
LONG_UNFED_SECONDS = 60.0
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # asked, not bound
PREPARE = "Run: .venv/bin/python manage.py quickstart"


def software() -> Iterator[Finding]:
    names = ("django", "channels", "daphne", "aiohttp")
    yield ok("versions", f"Python {platform.python_version()}, {', '.join(f'{n} {version(n)}' for n in names)}")


def system_checks() -> Iterator[Finding]:
    """Django's own and ours; those for a deployment where PUBLIC_URL says that this is one."""
    is_public = urlsplit(settings.PUBLIC_URL).scheme == "https"
    found = [
        message
        for message in checks.run_checks(include_deployment_checks=is_public)
        if message.level >= checks.WARNING and not message.is_silenced()
    ]
    for message in found:
        make = fail if message.level >= checks.ERROR else warn
        yield make("settings", f"{message.msg} ({message.id})", str(message.hint or f"See the check {message.id}."))
    if not found:
        yield ok("settings", f"no complaints; PUBLIC_URL is {settings.PUBLIC_URL}")


# The machine


def data_folder() -> Iterator[Finding]:
    folder = Path(settings.DATA_DIR)
    mend = f"Make {folder} a folder that this user may write to, or set DATA_DIR to another."
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
            file.flush()
    except OSError as error:
        yield fail("data folder", f"{folder} cannot be written to: {error.strerror}.", mend)
        return
    free = shutil.disk_usage(folder).free
    told, mend = f"{folder} can be written to; {free / GIB:.1f} GiB are free", "Make room on that disk."
    make = fail if free < LEAST_FREE else warn
    yield ok("data folder", told) if free >= LITTLE_FREE else make("data folder", told, mend)


def open_files() -> Iterator[Finding]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = int(settings.MAX_CONNECTIONS) + SPARE_FILES
    if most == resource.RLIM_INFINITY or most >= wanted:
        yield ok("open files", f"room for the {settings.MAX_CONNECTIONS} connections of MAX_CONNECTIONS")
    else:
        told = (
            f"this process may open {most} files, {wanted} are wanted for MAX_CONNECTIONS={settings.MAX_CONNECTIONS}."
        )
        yield warn("open files", told, f"Raise the limit (ulimit -Hn {wanted}, LimitNOFILE={wanted}).")


# The database


def database() -> Iterator[Finding]:
    missing = missing_file()
    if missing:
        yield fail("database", f"{missing} is not there.", PREPARE)
        return
    try:
        connection.ensure_connection()
    except Error as error:
        mend = "Start it, or mend DATABASE_URL."
        yield fail("database", f"does not let us in ({type(error).__name__}): {first_line(error)}", mend)
        return
    yield from sqlite() if connection.vendor == "sqlite" else postgres()
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield fail("tables", "they are not those of this version.", PREPARE)
        return
    yield ok("tables", "they are those of this version")
    yield from nodes()
    yield from rows()


def missing_file() -> str:
    """A file of SQLite's that is not there: to connect would make it."""
    name = str(connection.settings_dict["NAME"])
    is_file = connection.vendor == "sqlite" and name and not name.startswith((":memory:", "file:"))
    return name if is_file and not Path(name).exists() else ""


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def sqlite() -> Iterator[Finding]:
    found = (str(ask("PRAGMA journal_mode")).upper(), int(ask("PRAGMA synchronous")))
    mode = settings.DATABASES["default"].get("OPTIONS", {}).get("transaction_mode", "")
    if found == ("WAL", 2) and mode == "IMMEDIATE":
        yield ok("database", f"SQLite {ask('SELECT sqlite_version()')}: WAL, FULL, IMMEDIATE")
    else:
        told = f"SQLite with journal_mode={found[0]}, synchronous={found[1]}, transactions {mode or 'DEFERRED'}."
        yield warn(
            "database", told, "Leave the database's OPTIONS as config/settings.py has them: WAL, FULL, IMMEDIATE."
        )


def postgres() -> Iterator[Finding]:
    yield ok("database", f"PostgreSQL {ask('SHOW server_version')}")
    isolation = str(ask("SHOW default_transaction_isolation"))
    if isolation != "read committed":
        mend = "Set default_transaction_isolation to 'read committed' for this user or database."
        yield warn("isolation", f"transactions are {isolation!r}: groups of rows will collide.", mend)
    yield connection_room()
    skew = float(ask("SELECT extract(epoch FROM clock_timestamp())")) - time.time()
    yield clock("database's", skew)


def connection_room() -> Finding:
    most, taken = int(ask("SHOW max_connections")), int(ask("SELECT count(*) FROM pg_stat_activity"))
    wanted = int(settings.HANDLER_CONNECTIONS_MAX) + OWN_CONNECTIONS
    told = f"{max(most - taken, 0)} of {most} are free; the gateway may come to use {wanted}"
    if most - taken >= wanted:
        return ok("connections", told)
    return warn("connections", told, "Raise max_connections, or lower HANDLER_CONNECTIONS_MAX.")


def clock(whose: str, skew: float) -> Finding:
    told = f"the {whose} clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} ours"
    return (
        ok("clock", told)
        if abs(skew) <= MOST_SKEW_SECONDS
        else warn("clock", told, "Let NTP set this machine's clock.")
    )


def nodes() -> Iterator[Finding]:
    """Watches the rows of running gateways for as long as a beat takes."""
    before = {one.pk: one for one in Node.objects.order_by("pk")}
    if not before:
        yield ok("gateway", "none runs over this database")
        return
    still = dict(before)
    deadline = time.monotonic() + 2 * node.BEAT_SECONDS
    while still and time.monotonic() < deadline:
        time.sleep(0.1)
        beats = dict(Node.objects.values_list("pk", "beat"))
        still = {pk: one for pk, one in still.items() if beats.get(pk) == one.beat}
    for pk, one in before.items():
        yield _node(one, moves=pk not in still)


def _node(one: Node, *, moves: bool) -> Finding:
    where = f"{one.place}, since {one.started_at:%Y-%m-%d %H:%M} UTC"
    if moves:
        return ok("gateway", f"one runs over this database: {where}")
    mend = "Start it again: whoever starts, or runs beside it, takes over."
    return warn("gateway", f"one ended without a word or stands still: {where}.", mend)


def rows() -> Iterator[Finding]:
    found = count_rows()
    queued, received = found.get("oldest queued", 0.0), found.get("oldest received", 0.0)
    told = (
        f"{found['open']:.0f} conversations open; {found['received'] + found['in_hand']:.0f} events to be handled, "
        f"{found['queued'] + found['sending']:.0f} to be sent, the oldest for {max(queued, received):.0f} s"
    )
    if queued > LONG_QUEUED_SECONDS or received > LONG_UNFED_SECONDS:
        yield warn("rows", told, "Is the gateway running, and does Telegram answer it? See its log.")
    else:
        yield ok("rows", told)
    if found["unknown"] or found["dead"]:
        told = f"{found['dead']:.0f} dead letters, {found['unknown']:.0f} sends of unknown outcome"
        yield warn("rows", told, "Look at them in /admin/ (messages by status): see docs/operations.md.")


# Redis


def redis() -> Iterator[Finding]:
    if not settings.CHANNELS_URL:
        yield ok("Redis", "not used: CHANNELS_URL is not set, and one process needs none")
        return
    from redis import Redis, RedisError

    client = Redis.from_url(settings.CHANNELS_URL, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS)
    try:
        with client:
            client.ping()
            began = time.perf_counter()
            client.ping()
            took = time.perf_counter() - began
            about: Any = client.info()
    except (RedisError, OSError) as error:
        told = f"does not answer ({type(error).__name__}); words go on, other processes hear of them late."
        yield fail("Redis", told, "Start it, or mend CHANNELS_URL.")
        return
    policy = about.get("maxmemory_policy", "unknown")
    told = f"{about.get('redis_version', '')} answers in {took * 1000:.1f} ms; maxmemory-policy {policy}"
    if about.get("maxmemory", 0) and policy != "noeviction":
        yield warn("Redis", told, "Set maxmemory-policy noeviction: an evicted group is a layer that stays silent.")
    else:
        yield ok("Redis", told)


# The port


def address() -> Iterator[Finding]:
    place = f"{settings.HOST} port {settings.PORT}"
    try:
        status, body = ask_http(WILDCARDS.get(settings.HOST, settings.HOST).strip("[]"), settings.PORT, "/readyz")
    except ConnectionRefusedError:
        yield port_is_free(place)
        return
    except (OSError, http.client.HTTPException) as error:
        mend = "See what listens there, or choose another port (PORT)."
        yield fail("port", f"{place} does not answer as ours ({type(error).__name__}).", mend)
        return
    parts = parts_of(body)
    if parts is None:
        yield fail("port", f"{place} is taken by another program (HTTP {status}).", "Stop it, or set PORT.")
        return
    yield ok("port", f"{place} is answered by a gateway")
    for part, state in parts.items():
        if state != "ok":
            yield fail(f"gateway's {part}", state, "This is what /readyz says: see docs/operations.md.")
    yield public_address()


def ask_http(host: str, port: int, path: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection(host, port, timeout=ASK_SECONDS)
    try:
        line.request("GET", path, headers={"Host": urlsplit(settings.PUBLIC_URL).netloc})
        response = line.getresponse()
        return response.status, response.read(1024 * 1024)
    finally:
        line.close()


def parts_of(body: bytes) -> dict[str, str] | None:
    """What /readyz says, part by part; None: it is no answer of ours."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    parts = answer.get("parts") if isinstance(answer, dict) else None
    return {str(part): str(state) for part, state in parts.items()} if isinstance(parts, dict) else None


def port_is_free(place: str) -> Finding:
    try:
        check_address(settings.HOST, settings.PORT)
    except CannotListen as error:
        return fail("port", str(error), "See HOST and PORT.")
    return ok("port", f"{place} is free; no gateway runs there")


def public_address() -> Finding:
    """Whether PUBLIC_URL leads here, as seen from this machine, through its TLS if it has any."""
    try:
        with urllib.request.urlopen(f"{settings.PUBLIC_URL}/healthz", timeout=ASK_SECONDS) as response:  # noqa: S310
            if response.read(16) == b"ok":
                return ok("PUBLIC_URL", f"{settings.PUBLIC_URL} leads to a gateway")
            reason = "something else answers"
    except urllib.error.HTTPError as error:
        reason = f"HTTP {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", "") or type(error).__name__)
    told = f"{settings.PUBLIC_URL} does not lead here, as seen from this machine: {reason}."
    return warn("PUBLIC_URL", told, "Mend the proxy, its certificate, the name's address, or PUBLIC_URL.")


EXAMINATIONS: dict[str, Examination] = {
    "versions": software,
    "settings": system_checks,
    "data folder": data_folder,
    "open files": open_files,
    "database": database,
    "Redis": redis,
    "port": address,
}
