"""What is told, and where, of handlers that raise, take long, or kill the process."""

import logging
import traceback
from collections.abc import Mapping

from django.conf import settings

from gateway.logs import event
from gateway.redact import redact
from gateway.traces import authors_part, wordless
from gateway.transcript import InRow

logger = logging.getLogger(__name__)

APOLOGY = "Sorry, something went wrong on our side. Please try again."
SLOW_NOTICE = "This takes longer than usual. Please wait."

Ids = Mapping[str, str]
"""A lane's: conversation, bot, protocol."""


def apology_text() -> str:
    return str(getattr(settings, "APOLOGY", APOLOGY))


def slow_text() -> str:
    return str(getattr(settings, "SLOW_NOTICE", SLOW_NOTICE))


def last_line(error: BaseException) -> str:
    """For the row."""
    return redact(traceback.format_exception_only(error)[-1].strip())


def report_error(ids: Ids, row: InRow | None, error: BaseException) -> None:
    """With ids and the traceback. What an exception says may be what somebody wrote: that is in the row alone."""
    shown = error if settings.LOG_WORDS else wordless(error)
    logger.error(
        "Conversation %s, row %s, bot %s: its handler raised.%s",
        ids["conversation"],
        _pk(row),
        ids["bot"],
        "" if settings.LOG_WORDS else " What the exception says is in the row alone (LOG_WORDS).",
        exc_info=(type(shown), shown, authors_part(error.__traceback__)),
        extra=event("handler_failed", row=_pk(row), **ids),
    )


def report_slow(ids: Ids, row: InRow | None, handler: str, seconds: float, stands_at: str) -> None:
    logger.error(
        "Conversation %s, row %s, bot %s: %s has not finished after %.1f s; it is in %s. The conversation "
        "waits for it, the others do not.",
        ids["conversation"],
        _pk(row),
        ids["bot"],
        handler,
        seconds,
        stands_at,
        extra=event("slow_handler", row=_pk(row), **ids),
    )


def report_dead(ids: Ids, row: InRow) -> str:
    """Returns the reason, for the row."""
    error = f"Fed {row.feedings} times; the process died with it each time."
    logger.error(
        "Conversation %s, row %s, bot %s: dead letter. %s",
        ids["conversation"],
        row.pk,
        ids["bot"],
        error,
        extra=event("dead_letter", row=row.pk),
    )
    return error


def _pk(row: InRow | None) -> int | None:
    return None if row is None else row.pk
