"""Who is signed in, as Channels finds it out, but for those who cannot be: they are let through at once."""

from typing import Any

from channels.auth import AuthMiddleware
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.contrib.auth.models import AnonymousUser

from gateway.types import Application, Scope


class PromptAuth(AuthMiddleware):
    """Channels asks a thread of everybody, and there is one for all; most visitors have no session to look up."""

    async def resolve_scope(self, scope: Scope) -> None:
        if scope["session"].session_key is None:
            scope["user"]._wrapped = AnonymousUser()
        else:
            await super().resolve_scope(scope)


def with_user(inner: Application) -> Any:
    """As AuthMiddlewareStack."""
    return CookieMiddleware(SessionMiddleware(PromptAuth(inner)))
