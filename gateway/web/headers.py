"""What every answer says to browsers, beside what Django's own middleware adds."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

NOTHING = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class Headers(MiddlewareMixin):
    """HSTS goes by PUBLIC_URL. Django would go by the request, which a proxy has brought here without TLS."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if settings.SECURE_HSTS_SECONDS:
            response.headers.setdefault("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}")
        response.headers.setdefault("Permissions-Policy", NOTHING)
        return response
