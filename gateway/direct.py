"""A bot's consumer without Channels' bridges.

Those are for any source of events and any executor: each event wakes two of a consumer's three tasks, a sync handler's
run takes four futures and five callbacks on the loop, and each word it sends a task and a wait for the loop. A bot's
events come one at a time from its instance, and its handlers run on its conversation's place: both are known.
"""

import asyncio
import contextvars
import os
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import getattr_static
from typing import Any

from asgiref.sync import SyncToAsync, _restore_context, async_to_sync
from channels.consumer import AsyncConsumer, SyncConsumer, get_handler_name
from channels.exceptions import StopConsumer
from channels.layers import get_channel_layer
from django.db import close_old_connections

from gateway.bot_tasks import harmless
from gateway.instance import Fed, Instance, in_hand
from gateway.logs import row as logs_row
from gateway.pool import bearable
from gateway.types import Event, Receive, Scope, Send

CHANNELS_CALL = AsyncConsumer.__call__
CHANNELS_DISPATCH = getattr_static(SyncConsumer, "dispatch")
CHANNELS_ASYNC_DISPATCH = AsyncConsumer.dispatch


class Serving:
    """What a consumer is fed, one event at a time: a sync handler on its conversation's place, an async one in a task.

    All of them run in one context: what a handler sets there, the next one finds. `over`: its end, or its error.
    """

    def __init__(self, consumer: AsyncConsumer, instance: Instance) -> None:
        self._instance = instance
        self._place = instance.place
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._begin, self._handle = self._way(consumer)
        self._busy = False
        self._early = instance.early
        self._fed: Fed | None = None
        self._waiting: list[tuple[Event, Fed | None]] = []
        self._bridged: list[asyncio.Task[Any]] = []
        self._listener: asyncio.Task[None] | None = None
        self.task: asyncio.Task[None] | None = None
        self.over: asyncio.Future[None] = self._loop.create_future()

    def _way(self, consumer: AsyncConsumer) -> tuple[Callable[[Event, Fed | None], None], Callable[[Event], Any]]:
        found = getattr_static(consumer, "dispatch")
        if found is CHANNELS_DISPATCH:
            return self._begin_in_thread, partial(CHANNELS_DISPATCH.func, consumer)
        # Channels asks a thread to close old connections first; the place's threads look after their own.
        handle = partial(_dispatch, consumer) if found is CHANNELS_ASYNC_DISPATCH else consumer.dispatch
        return self._begin_task, handle

    def take(self, event: Event, fed: Fed | None = None) -> None:
        """In its turn. `fed`: the row that it is; without one it came over the channel layer."""
        if self._busy:
            self._waiting.append((event, fed))
        else:
            self._busy = True
            self._begin(event, fed)

    def listen(self, receive: Callable[[], Awaitable[Event]]) -> None:
        """From now on for the channel layer's events as well. For any thread."""
        if self._listener is None and not self.over.done():
            self._listener = self._loop.create_task(self._listen(receive), context=self._context.copy())

    async def _listen(self, receive: Callable[[], Awaitable[Event]]) -> None:
        try:
            while True:
                self.take(await receive())
        except Exception as error:
            self._fail(error)

    async def end(self) -> None:
        """Takes nothing more. A thread cannot be ended; what it waits for on the loop can."""
        self._waiting.clear()
        self._begin = self._handle = _nothing  # Else it would hold itself, and the consumer.
        running = [task for task in (self.task, self._listener) if task is not None and not task.done()]
        for task in (*running, *self._bridged):
            task.cancel()
        if running:
            await asyncio.wait(running)

    # In a task

    def _begin_task(self, event: Event, fed: Fed | None) -> None:
        if fed is not None:
            fed.tells = True
        self.task = self._loop.create_task(self._run_task(event, fed), context=self._context)

    async def _run_task(self, event: Event, fed: Fed | None) -> None:
        error: BaseException | None = None
        _enter(fed)
        try:
            await self._handle(event)
        except BaseException as raised:
            error = raised
        _leave()
        self.task = None
        self._end_one(fed, error)

    # In a thread

    def _begin_in_thread(self, event: Event, fed: Fed | None) -> None:
        self._fed = fed
        self._early.began(self)
        self._place.start(partial(self._run, event, fed))

    def take_long(self) -> None:
        """What it has said leaves, and what it says from now on leaves at once."""
        if self._fed is not None:
            self._fed.tells = True
            self._instance.say_all(self._fed)

    def _run(self, event: Event, fed: Fed | None) -> None:
        error: BaseException | None = None
        try:
            self._prepare_thread()
            self._context.run(self._run_in_context, event, fed)
            if getattr(threading.current_thread(), "has_connected", True):
                close_old_connections()  # A transaction that was left open would keep others waiting.
        except BaseException as raised:
            error = bearable(raised)
        try:  # noqa: SIM105  # for every message
            self._loop.call_soon_threadsafe(self._end_in_thread, fed, error)
        except RuntimeError:
            pass  # The loop has ended meanwhile.

    def _end_in_thread(self, fed: Fed | None, error: BaseException | None) -> None:
        self._early.ended(self)
        self._fed = None
        if fed is not None:
            fed.tells = True  # A thread of the handler's own may still say something.
            try:
                self._instance.say_all(fed)
            except Exception as unsaid:
                error = error or unsaid
        self._end_one(fed, error)

    def _prepare_thread(self) -> None:
        """So that `async_to_sync` in a handler finds the gateway's loop, as behind Channels' own bridge."""
        threads = SyncToAsync.threadlocal
        threads.main_event_loop = self._loop
        threads.main_event_loop_pid = os.getpid()
        threads.task_context = self._bridged

    def _run_in_context(self, event: Event, fed: Fed | None) -> None:
        if self.over.done():
            return
        _restore_context(self._context)  # What asgiref's `Local` keeps goes along to this thread.
        _enter(fed)
        try:
            self._handle(event)
        finally:
            _leave()

    # On the loop

    def _end_one(self, fed: Fed | None, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
            return
        if self.over.done():
            return
        self._busy = False
        if fed is not None:
            self._instance.handled(fed)
        if self._waiting and not self._busy:
            self.take(*self._waiting.pop(0))

    def _fail(self, error: BaseException) -> None:
        if self.over.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self.over.cancel()
        else:
            ends = isinstance(error, SystemExit | KeyboardInterrupt)
            self.over.set_exception(harmless(error) if ends else bearable(error))


def _nothing(event: Event, fed: Fed | None = None) -> None:
    """What is done with an event once the consumer has ended."""


def _enter(fed: Fed | None) -> None:
    if fed is not None:
        fed.begin()


def _leave() -> None:
    in_hand.set(None)
    logs_row.set(None)


async def _dispatch(consumer: AsyncConsumer, event: Event) -> None:
    handler = getattr(consumer, get_handler_name(event), None)
    if handler is None:
        raise ValueError(f"No handler for message type {event['type']}")
    await handler(event)


class ChannelName:
    """A consumer's name on the channel layer. Nobody can send to it who has not asked for it: until then the consumer
    does not listen, which would cost it a task."""

    def __set__(self, consumer: Any, name: str) -> None:
        vars(consumer)["channel_name"] = name

    def __get__(self, consumer: Any, owner: type) -> Any:
        if consumer is None:
            return self
        kept = vars(consumer)
        if "channel_name" not in kept:
            raise AttributeError("channel_name")
        if listen := kept.pop("_listen", None):
            listen()
        return kept["channel_name"]


async def call(consumer: AsyncConsumer, scope: Scope, receive: Receive, send: Send) -> None:
    """In place of Channels' own, for a consumer that runs as a bot and has no other."""
    instance = getattr(receive, "__self__", None)
    if not isinstance(instance, Instance):
        await CHANNELS_CALL(consumer, scope, receive, send)
        return
    serving = Serving(consumer, instance)
    consumer.scope = scope
    consumer.base_send = _base_send(consumer, instance, send)
    consumer.channel_layer = layer = get_channel_layer(consumer.channel_layer_alias)
    if layer is not None:
        consumer.channel_name = await layer.new_channel()
        consumer.channel_receive = partial(layer.receive, vars(consumer)["channel_name"])
        listen = partial(serving.listen, consumer.channel_receive)
        vars(consumer)["_listen"] = partial(asyncio.get_running_loop().call_soon_threadsafe, listen)
    try:
        instance.serve(serving)
        await serving.over
    except StopConsumer:
        pass
    finally:
        await serving.end()


def _base_send(consumer: AsyncConsumer, instance: Instance, send: Send) -> Any:
    if not isinstance(consumer, SyncConsumer):
        return send
    bridge = async_to_sync(send)
    # What goes to an instance and through no middleware needs no bridge.
    direct = getattr(send, "__self__", None) is instance
    return partial(instance.send_from_thread, bounce=bridge) if direct else bridge


def make_direct(consumer: type) -> None:
    """To be called once for each class of consumers that may be a bot. What a class has of its own, it keeps."""
    if getattr_static(consumer, "__call__", None) is CHANNELS_CALL:
        setattr(consumer, "__call__", call)  # noqa: B010  # not known to the type
        if not hasattr(consumer, "channel_name"):
            setattr(consumer, "channel_name", ChannelName())  # noqa: B010  # the same
