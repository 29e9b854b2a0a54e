"""A bot's way to its handler and back without Channels' bridges.

They are for any thread and any executor: a sync handler's run takes four futures and five callbacks on the loop, and
each word it sends a task and a wait for the loop. A bot's handler runs on its conversation's place, which is known.
Before an async handler Channels asks a thread to close old connections; the place's threads look after their own.
"""

import asyncio
import contextlib
import contextvars
import os
from collections.abc import Callable
from functools import partial
from inspect import getattr_static
from typing import Any

from asgiref.sync import SyncToAsync, _restore_context
from channels.consumer import AsyncConsumer, SyncConsumer, get_handler_name
from django.db import close_old_connections

from gateway.instance import Instance
from gateway.pool import bearable, here

CHANNELS_DISPATCH = getattr_static(SyncConsumer, "dispatch")
CHANNELS_ASYNC_DISPATCH = AsyncConsumer.dispatch


class Handling:
    """One run of a handler. `over`: its end, on the loop."""

    __slots__ = ("_bridged", "_call", "_context", "_loop", "over")

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._bridged: list[asyncio.Task[Any]] = []
        self.over: asyncio.Future[None] = self._loop.create_future()

    def run(self) -> None:
        """On the handler's thread."""
        if self.over.cancelled():
            return
        error: BaseException | None = None
        try:
            self._prepare_thread()
            self._context.run(self._run)
            close_old_connections()  # A transaction that was left open would keep others waiting.
        except BaseException as raised:
            error = bearable(raised)
        with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
            self._loop.call_soon_threadsafe(self._end, error)

    def _prepare_thread(self) -> None:
        """So that `async_to_sync` in a handler finds the gateway's loop, as behind Channels' own bridge."""
        threads = SyncToAsync.threadlocal
        threads.main_event_loop = self._loop
        threads.main_event_loop_pid = os.getpid()
        threads.task_context = self._bridged

    def _run(self) -> None:
        _restore_context(self._context)  # What asgiref's `Local` keeps goes along to this thread.
        self._call()

    def _end(self, error: BaseException | None) -> None:
        if self.over.done():
            return
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)

    def restore(self) -> None:
        """What the handler has set in its context is there for the next one."""
        _restore_context(self._context)

    def cancel(self) -> None:
        """The thread cannot be ended; what it waits for on the loop can."""
        for task in self._bridged:
            task.cancel()


async def dispatch(consumer: SyncConsumer, message: Any) -> None:
    """In place of Channels' own, for a consumer that has no other and runs as a bot."""
    place = here.get()
    if place is None:
        await CHANNELS_DISPATCH.__get__(consumer, type(consumer))(message)
        return
    handling = Handling(partial(CHANNELS_DISPATCH.func, consumer, message))
    place.start(handling.run)
    try:
        await handling.over
    except asyncio.CancelledError:
        handling.cancel()
        raise
    finally:
        handling.restore()


async def dispatch_async(consumer: AsyncConsumer, message: Any) -> None:
    """The same for an async one."""
    handler = None if here.get() is None else getattr(consumer, get_handler_name(message), None)
    if handler is None:
        await CHANNELS_ASYNC_DISPATCH(consumer, message)
    else:
        await handler(message)


class DirectSend:
    """`base_send` of a bot's consumer class. Channels sets it to a bridge over which every word of a sync handler waits
    for the loop, in a task of its own; what goes to an instance and through no middleware needs none of that."""

    def __set__(self, consumer: Any, bridge: Any) -> None:
        target = getattr(bridge, "awaitable", None)
        instance = getattr(target, "__self__", None)
        if isinstance(instance, Instance) and getattr(target, "__func__", None) is Instance.send:
            bridge = partial(instance.send_from_thread, bounce=bridge)
        vars(consumer)["base_send"] = bridge

    def __get__(self, consumer: Any, owner: type) -> Any:
        if consumer is None:
            return self
        try:
            return vars(consumer)["base_send"]
        except KeyError:
            raise AttributeError("base_send") from None


def make_direct(consumer: type) -> None:
    """To be called once for each class of consumers that may be a bot. What a class has of its own, it keeps."""
    found = getattr_static(consumer, "dispatch", None)
    if found is CHANNELS_ASYNC_DISPATCH:
        setattr(consumer, "dispatch", dispatch_async)  # noqa: B010  # not known to the type
    elif found is CHANNELS_DISPATCH:
        setattr(consumer, "dispatch", dispatch)  # noqa: B010  # the same
    if issubclass(consumer, SyncConsumer) and not hasattr(consumer, "base_send"):
        setattr(consumer, "base_send", DirectSend())  # noqa: B010  # the same
