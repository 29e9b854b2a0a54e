"""Daphne and the protocol servers in one process and one loop. Importing this installs Twisted's reactor."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from daphne.server import Server, twisted_loop
from twisted.internet import defer

from gateway.daphne_flow import Inflow
from gateway.daphne_limits import PromptTransport, is_anything_unsent, room_for_connections
from gateway.daphne_sockets import BoundedSocket, bound
from gateway.flow import ANSWER, SERVED, Gone
from gateway.lifespan_player import LifespanPlayer, StartFailed
from gateway.types import Application, Event, Receive, Scope, Send
from gateway.waiting import Inbox

logger = logging.getLogger(__name__)

GOING_AWAY = 4012
SHUTDOWN_SECONDS = 27.0
REQUEST_SECONDS = 10.0
CLOSE_SECONDS = 2.0
FLUSH_SECONDS = 2.0
LOOK_SECONDS = 0.02
# A bot's thread cannot be cancelled, and the interpreter would wait for it for ever.
LEAVE_SECONDS = 29.5
HTTP_SECONDS = 60
BACKLOG = 1024


class GatewayServer(Server):
    """One run of the gateway. `announce(port)` is called once everything has started.

    `run` returns when it is over; `failure` then says, in plain words, why it did not start, if so.
    """

    def __init__(self, application: Application, host: str, port: int, announce: Callable[[int], None]) -> None:
        interface = host.strip("[]").replace(":", r"\:")
        super().__init__(
            application=self.after_start,
            endpoints=[f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"],
            signal_handlers=False,
            ready_callable=self.ready,
            http_timeout=HTTP_SECONDS,
            websocket_timeout=-1,
            ping_interval=20,
            server_name="switchboard",
        )
        self.inner = application
        self.room = room_for_connections()
        self.announce = announce
        self.lifespan = LifespanPlayer(application)
        self.started = asyncio.Event()
        self.ports: list[Any] = []
        self.stopping: asyncio.Task[None] | None = None
        self.failure = ""

    async def after_start(self, scope: Scope, receive: Receive, send: Send) -> None:
        # HTTP can say that it is not ready; a socket cannot, so it waits in its handshake.
        if scope["type"] == "websocket":
            await self.started.wait()
        try:
            await self.inner(scope, receive, send)
        except Gone:
            logger.debug("An application wrote to a reader that had gone.")

    def create_application(self, protocol: Any, scope: Scope) -> Inbox[Event]:
        """As Daphne's own, with a queue that a client cannot fill at will."""
        socket = isinstance(protocol, BoundedSocket)
        events: Inbox[Event] = Inflow(protocol.hold, protocol.let_go) if socket else Inbox()
        extensions = {SERVED: {"write": protocol.write}} if socket else {SERVED: {}, ANSWER: protocol.answer}
        whole = {"asgi": {"version": "3.0"}, **scope, "extensions": extensions}
        application = self.application(whole, events.get, partial(self.handle_reply, protocol))
        running = self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        running.add_done_callback(partial(self.forget, protocol))
        return events

    def forget(self, protocol: Any, ended: "asyncio.Future[None]") -> None:
        """Daphne looks once a second at all that there are, and keeps what has ended until then. It reports errors."""
        if "disconnected" in self.connections.get(protocol, ()) and not ended.cancelled() and not ended.exception():
            del self.connections[protocol]

    async def handle_reply(self, protocol: Any, message: Event) -> None:
        """Returns once the client has room for more, or has gone."""
        kind = message.get("type")
        if kind == "websocket.send" and protocol.is_over():
            await protocol.swallow()
            return
        await super().handle_reply(protocol, message)
        if kind in ("websocket.send", "http.response.body"):
            await protocol.outflow.drained()

    def protocol_disconnected(self, protocol: Any) -> None:
        # A refused socket is reaped before its line closes.
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    def listen_success(self, port: Any) -> None:
        port.transport = PromptTransport
        self.ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        self.failure = f"Cannot listen: {failure.getErrorMessage()}"
        super().listen_error(failure)

    def ready(self) -> None:
        bound(self)
        for number in (signal.SIGTERM, signal.SIGINT):
            twisted_loop.add_signal_handler(number, self.on_signal, number)
        self.starting = twisted_loop.create_task(self.start())

    async def start(self) -> None:
        try:
            await self.lifespan.start()
        except StartFailed as failure:
            self.failure = str(failure)
            self.stop()
            return
        self.started.set()
        if self.stopping is None:
            self.announce(self.ports[0].getHost().port)

    def on_signal(self, number: int) -> None:
        if self.stopping is not None:
            leave(128 + number)
        logger.info("Stopping; a second signal stops at once.")
        leave_later()
        self.stopping = twisted_loop.create_task(self.wind_down())

    async def wind_down(self) -> None:
        for port in self.ports:
            port.stopListening()
        patience = twisted_loop.time() + REQUEST_SECONDS
        await asyncio.wait({self.starting})
        if self.failure:
            return
        self.failure = await self.lifespan.stop(SHUTDOWN_SECONDS)
        self.close_sockets()
        running = self.running_applications()
        if running:
            await asyncio.wait(running, timeout=max(CLOSE_SECONDS, patience - twisted_loop.time()))
        await self.flush()
        self.stop()

    async def flush(self) -> None:
        """What was answered last may still be on its way out."""
        for _ in range(round(FLUSH_SECONDS / LOOK_SECONDS)):
            if not is_anything_unsent():
                return
            await asyncio.sleep(LOOK_SECONDS)

    def close_sockets(self) -> None:
        """Closes the sockets that the application has left open: consumers that the engine does not know."""
        for protocol in list(self.connections):
            if isinstance(protocol, BoundedSocket) and protocol.state == protocol.STATE_OPEN:
                protocol.serverClose(GOING_AWAY)

    def running_applications(self) -> list[asyncio.Future[None]]:
        # Daphne reaps an ended application before its connection, so the key may be gone.
        found = (details.get("application_instance") for details in self.connections.values())
        return [application for application in found if application is not None and not application.done()]

    def kill_all_applications(self) -> Any:
        """Instead of Daphne's own, which fails on a connection whose application is reaped already."""
        running = self.running_applications()
        for application in running:
            application.cancel()
        return defer.Deferred.fromFuture(asyncio.ensure_future(ended(running)))


async def ended(applications: list[asyncio.Future[None]]) -> None:
    await asyncio.gather(*applications, return_exceptions=True)


def leave(code: int) -> None:
    logging.shutdown()
    os._exit(code)


def leave_later() -> None:
    timer = threading.Timer(LEAVE_SECONDS, abandon)
    timer.daemon = True
    timer.start()


def abandon() -> None:
    logger.error("Something did not end within %g s and is left behind; its rows are fed again.", LEAVE_SECONDS)
    leave(0)


def serve(application: Application, host: str, port: int, announce: Callable[[int], None]) -> str:
    """Serves until a signal says stop. Returns why it could not start, or an empty text."""
    server = GatewayServer(application, host, port, announce)
    server.run()
    return server.failure
