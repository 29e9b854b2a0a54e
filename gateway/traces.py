"""Tracebacks as an author wants them: from where the author's own code begins."""

from types import TracebackType

PLUMBING = {"gateway", "channels", "asgiref", "asyncio", "concurrent", "importlib"}


def authors_part(trace: TracebackType | None) -> TracebackType | None:
    """What is left without the frames that only lead there; all of it where nothing else is in it."""
    own = trace
    while own is not None and is_plumbing(own):
        own = own.tb_next
    return own or trace


def is_plumbing(trace: TracebackType) -> bool:
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in PLUMBING
