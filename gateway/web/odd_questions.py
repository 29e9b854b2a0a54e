"""An address that asks for what no database can hold is the asker's mistake, and no fault of ours."""

import logging

from django.core.exceptions import BadRequest, PermissionDenied
from django.core.handlers.exception import response_for_exception
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

logger = logging.getLogger(__name__)

# A year 0, a number of a hundred digits, a NUL in a text: whoever meets it first says it in a way of their own.
MISTAKES = (ValueError, OverflowError, DataError)
BAD_PATTERN = "user-defined function raised"  # SQLite's word for a regular expression that is none


def is_mistake(exception: Exception) -> bool:
    if isinstance(exception, PermissionDenied):
        # So its autocompletion says that something is missing, or unknown; of a lack of rights there is no cause.
        return exception.__cause__ is not None
    return isinstance(exception, MISTAKES) or BAD_PATTERN in str(exception)


class OddQuestions(MiddlewareMixin):
    """Django's administration hands filters and keys to the database as they come: what cannot be asked gets 400."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        route = request.resolver_match
        if (
            not is_mistake(exception)
            or request.method not in ("GET", "HEAD")
            or route is None
            or route.app_name != "admin"
        ):
            return None
        logger.warning("The administration was asked for what cannot be (%s).", type(exception).__name__)
        logger.debug("It was this:", exc_info=exception)
        return response_for_exception(request, BadRequest("asked for what cannot be"))
