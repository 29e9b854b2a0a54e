"""G13: SQLite on a disk that is full. Refused while it is, nothing broken, and on again without a restart."""

import contextlib
import functools
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.chaos import lab as labs
from tests.chaos.clients import SECRET, Posted, an_update, post
from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import read, unsettled
from tests.gateway_process import NAME

SIZE = "6m"
LONG_TEXT = "x" * 3000


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return ballast


@promise("G13", functools.partial(labs.lacks, root=True))
def a_full_disk_breaks_nothing(long: bool) -> Finding:
    env = {"TELEGRAM_WEBHOOK_SECRET": SECRET}
    with small_disk() as disk, lab("counter", intake="webhook", **env) as here:
        here.gateway.data_dir, here.gateway.env["DATA_DIR"] = disk, str(disk)  # Its log stays where it was.
        here.gateway.start()
        (ada,) = here.people(1)
        ada.says("before")
        here.wait(lambda: ada.answers, "the answer before")
        ballast = fill(disk)
        posted = [post(here.gateway, an_update(3000 + n, LONG_TEXT)) for n in range(60 if long else 12)]
        alive = here.gateway.running and here.gateway.status("/healthz") == 200
        ballast.unlink()
        ada.says("after")
        here.wait(lambda: "after is 2" in ada.answers, "the answer after")
        here.wait(lambda: not unsettled(here.gateway), "the rest of the words")
        rows = {row[0] for row in read(here.gateway, "SELECT update_id FROM gateway_message")}
        with contextlib.closing(sqlite3.connect(disk / NAME)) as connection:
            integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return verdict(posted, rows, alive, integrity)


def verdict(posted: list[Posted], rows: set[int], alive: bool, integrity: str) -> Finding:
    refused = [one for one in posted if one.status == 503]
    lost = [one for one in posted if one.status == 200 and one.update_id not in rows]
    others = [one.status for one in posted if one.status not in (200, 503)]
    slowest = max(one.seconds for one in posted)
    figure = (
        f"{len(refused)} of {len(posted)} webhooks refused with 503 (slowest {slowest:.1f} s), {len(lost)} lost, "
        f"{len(others)} other answers, integrity_check {integrity}, on again without a restart"
    )
    return Finding(bool(refused) and alive and integrity == "ok" and not (lost or others), figure)
