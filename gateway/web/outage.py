"""Pages while the database is away: 503 and when to come again, where Django would say 500."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

RETRY_SECONDS = 5
AWAY = "The database does not answer just now. Please try again in a moment.\n"


def failed(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return HttpResponse(
            AWAY, status=503, content_type="text/plain; charset=utf-8", headers={"Retry-After": str(RETRY_SECONDS)}
        )
    return server_error(request)
