"""Tracebacks as an author wants them, from where the author's own code begins; and where a handler stands now.

No word of a chat is in them: what an exception says may well be what somebody wrote.
"""

import asyncio
import sys
import sysconfig
import types
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

PLUMBING = {"gateway", "channels", "asgiref", "asyncio", "concurrent", "importlib"}
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
MOST_CAUSES = 5
FRAMES = ("cr_frame", "gi_frame", "ag_frame")
AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


def authors_part(trace: TracebackType | None) -> TracebackType | None:
    """What is left without the frames that only lead there; all of it where nothing else is in it."""
    own = trace
    while own is not None and is_plumbing(own):
        own = own.tb_next
    return own or trace


def is_plumbing(trace: TracebackType) -> bool:
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in PLUMBING


def wordless(error: BaseException, causes: int = MOST_CAUSES) -> Exception:
    """An exception of the same name, traceback and causes that says nothing."""
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    twin: Exception = types.new_class(kind.__name__, (Exception,), exec_body=lambda body: body.update(names))()
    twin.__traceback__ = authors_part(error.__traceback__)
    if causes and error.__cause__ is not None:
        twin.__cause__ = wordless(error.__cause__, causes - 1)
    elif causes and error.__context__ is not None and not error.__suppress_context__:
        twin.__context__ = wordless(error.__context__, causes - 1)
    return twin


# Where a handler stands


def thread_stands_at(ident: int) -> str:
    """File and line of the author's code that a thread is in, and what it calls there."""
    frame = sys._current_frames().get(ident)
    return _innermost([] if frame is None else list(_callers(frame)))


def task_stands_at(task: "asyncio.Task[Any]") -> str:
    """The same of a task: what its coroutines are waiting for."""
    return _innermost(list(_awaited(task.get_coro()))[::-1])


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _awaited(waiting: Any) -> Iterator[FrameType]:
    while waiting is not None:
        frame = _first_of(waiting, FRAMES)
        if frame is not None:
            yield frame
        waiting = _first_of(waiting, AWAITED)


def _first_of(thing: Any, names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := getattr(thing, name, None)) is not None), None)


def _innermost(frames: list[FrameType]) -> str:
    """Of frames from the inside out: the author's innermost, and the very innermost where that is another."""
    if not frames:
        return "an unknown place"
    own = next((frame for frame in frames if _is_authors(frame)), frames[0])
    return _place(own) if own is frames[0] else f"{_place(own)}, which waits in {_place(frames[0])}"


def _is_authors(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] not in PLUMBING and not frame.f_code.co_filename.startswith(LIBRARIES)


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} ({frame.f_code.co_name})"
