"""`make cluster`: several gateways that are one, on this machine, behind a proxy; all of it ends with Ctrl-C.

NODES=3 as many. DATABASE_URL and CHANNELS_URL are used where they are given; else a PostgreSQL and a Redis of its own
run in a temporary folder. Whatever else the gateway reads is passed on (TELEGRAM_BOT_TOKEN).
"""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import Iterator, Sequence

from tests.gateway_process import OURS, GatewayProcess, free_port
from tests.private_servers import PrivatePostgres, PrivateRedis, missing_private_servers

START_SECONDS = 120.0
CHUNK = 65536


def main() -> int:
    with contextlib.ExitStack() as stack:
        try:
            urls = servers(stack)
        except LookupError as error:
            print(error, file=sys.stderr)
            return 2
        port = int(os.environ.get("PORT") or free_port())
        gateways = list(started(stack, int(os.environ.get("NODES", "3")), port, urls))
        asyncio.run(proxy(port, [gateway.port for gateway in gateways]))
        print("Stopping.", flush=True)
        for gateway in gateways:
            gateway.terminate(within=35)
    return 0


def servers(stack: contextlib.ExitStack) -> dict[str, str]:
    """Raises LookupError where there is neither an address nor a program."""
    given = {name: os.environ[name] for name in ("DATABASE_URL", "CHANNELS_URL") if os.environ.get(name)}
    if len(given) < 2 and (missing := missing_private_servers()):
        raise LookupError(f"A cluster needs {missing}: install it, or set DATABASE_URL and CHANNELS_URL.")
    if "DATABASE_URL" not in given:
        given["DATABASE_URL"] = stack.enter_context(PrivatePostgres(max_connections=300)).url
    if "CHANNELS_URL" not in given:
        given["CHANNELS_URL"] = stack.enter_context(PrivateRedis()).url
    return given


def started(stack: contextlib.ExitStack, count: int, port: int, urls: dict[str, str]) -> Iterator[GatewayProcess]:
    public = f"http://127.0.0.1:{port}"
    passed = {name: value for name, value in os.environ.items() if name in OURS and name not in ("HOST", "PORT")}
    same = {"SECRET_KEY": os.urandom(40).hex(), "TRUSTED_PROXIES": "127.0.0.1", **passed, **urls}
    for number in range(1, count + 1):
        gateway = GatewayProcess({**same, "PUBLIC_URL": public})
        stack.callback(gateway.close)
        if number == 1:
            print(gateway.manage("quickstart"), flush=True)
        gateway.log_file.touch()  # It has its tables.
        gateway.start(within=START_SECONDS)
        print(f"Gateway {number}: {gateway.url}, process {gateway.process and gateway.process.pid}", flush=True)
        yield gateway


async def proxy(port: int, behind: Sequence[int]) -> None:
    """Connections go to one after the other, and past those that do not answer, until a signal says stop."""
    stop, turns = asyncio.Event(), itertools.count()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(turns)
        for place in range(len(behind)):
            with contextlib.suppress(OSError):
                answer, ask = await asyncio.open_connection("127.0.0.1", behind[(first + place) % len(behind)])
                await asyncio.gather(pump(reader, ask), pump(answer, writer))
                return
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        print(f"Pages and sockets, by turns:  http://127.0.0.1:{port}/  (Ctrl-C ends everything)", flush=True)
        await stop.wait()


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    target.close()


if __name__ == "__main__":
    sys.exit(main())
