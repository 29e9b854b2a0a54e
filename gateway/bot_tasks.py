"""Tasks that bots start. One that asks for the end of the process must not get it: asyncio lets SystemExit and
KeyboardInterrupt through to whoever runs the loop, and that is the gateway."""

import asyncio
import contextvars
import logging
from collections.abc import Coroutine, Generator
from typing import Any

from django.conf import settings

from gateway.traces import wordless

logger = logging.getLogger(__name__)

of_a_bot: contextvars.ContextVar[bool] = contextvars.ContextVar("of_a_bot", default=False)
"""Set where a bot's application runs; the tasks that it starts inherit it."""


class HandlerError(Exception):
    """A handler raised what would end the whole process (SystemExit, KeyboardInterrupt)."""


def harmless(error: BaseException) -> HandlerError:
    return HandlerError(f"{type(error).__name__} in a handler")


class Guarded(Coroutine[Any, Any, Any]):
    """A coroutine that cannot end the process."""

    def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
        self._inner = inner
        self.__qualname__ = getattr(inner, "__qualname__", "")  # What a task is called by in asyncio's own words.

    def send(self, value: Any) -> Any:
        try:
            return self._inner.send(value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise harmless(error) from error

    def throw(self, *error: Any) -> Any:
        try:
            return self._inner.throw(*error)
        except (SystemExit, KeyboardInterrupt) as ending:
            raise harmless(ending) from ending
        finally:
            del error  # Its traceback holds this frame: with it in here, neither would ever be free of the other.

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    @property
    def cr_await(self) -> Any:
        """Where it stands, for whoever asks."""
        return self._inner


def guard(loop: asyncio.AbstractEventLoop) -> None:
    """From now on the loop's tasks that a bot starts are guarded, and what they raise is logged without its words."""
    loop.set_task_factory(_make_task)
    loop.set_exception_handler(_report)


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    context = options.get("context")
    guarded = of_a_bot.get() if context is None else context.get(of_a_bot, False)
    if guarded and asyncio.iscoroutine(coroutine):
        coroutine = Guarded(coroutine)
    return asyncio.Task(coroutine, loop=loop, **options)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for. asyncio's own report shows the task, and with it what its exception says."""
    error = context.get("exception")
    if error is None or settings.LOG_WORDS:
        loop.default_exception_handler(context)
        return
    shown = wordless(error)
    logger.error("%s", context["message"], exc_info=(type(shown), shown, shown.__traceback__))
