"""What a load balancer asks: alive, and ready."""

from channels.exceptions import InvalidChannelLayerError
from channels.layers import get_channel_layer
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway import engine
from gateway.errors import NotReady

OK = "ok"
STOPPING = "stopping: whoever asks for more is to go elsewhere"
NOT_STARTED = "not started: plain daphne and runserver serve pages only; use manage.py serve or a server with lifespan"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive. Asks nobody, so that a slow database does not get the process killed."""
    return HttpResponse(OK, content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """`{"ready": bool, "parts": {part: "ok" or what is wrong}, "contact": {bot: seconds since its last word}}`.

    503 unless every part is ok.
    """
    parts = {"layer": layer(), **gateway_parts()}
    ready = all(state == OK for state in parts.values())
    answer = {"ready": ready, "parts": parts, "contact": contact()}
    return JsonResponse(answer, status=200 if ready else 503)


def database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        # The text of it may name hosts and users.
        return f"does not answer ({type(error).__name__})"
    return OK


def layer() -> str:
    try:
        get_channel_layer()
        return OK
    except InvalidChannelLayerError:
        return "cannot be loaded"


def contact() -> dict[str, float | None]:
    try:
        ages = engine.current().contact_ages()
    except NotReady:
        return {}
    return {bot: None if age is None else round(age, 1) for bot, age in ages.items()}


def gateway_parts() -> dict[str, str]:
    """Asks nobody who could keep it waiting: the gateway knows how its database is."""
    try:
        running = engine.current()
    except NotReady:
        return {"gateway": NOT_STARTED, "database": database()}
    return {"gateway": STOPPING if running.stopping else OK, "database": OK, **running.health()}
