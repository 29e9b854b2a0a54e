"""Who may sit at the admin socket, and still may: asked again at every action, and every few seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session

from gateway.access import Rights, rights_of
from gateway.kept import Kept
from gateway.models import Bot, Role
from gateway.types import Scope


@dataclass(frozen=True, slots=True)
class Badge:
    """What an operator had when the socket was opened."""

    user_pk: Any
    auth_hash: str
    session: Any
    session_key: str | None


class Operator(NamedTuple):
    user: Any
    rights: Rights


def badge_of(scope: Scope) -> Badge | None:
    """None: nobody who may be here. The user was loaded by Channels' AuthMiddleware; this asks no database."""
    user = scope.get("user")
    if user is None or not user.is_authenticated or not user.is_active or not user.is_staff:
        return None
    # Signed cookies have no place on our side that could know of a log-out.
    session = None if settings.SESSION_ENGINE.endswith("signed_cookies") else scope.get("session")
    return Badge(user.pk, user.get_session_auth_hash(), session, session.session_key if session else None)


@cache
def _users() -> Kept:
    model = get_user_model()
    return Kept(model, model._meta.pk.name)


@cache
def _sessions() -> Kept:
    return Kept(Session, "session_key", "session_key")


def _exists(session: Any, key: str) -> bool:
    in_database = settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"
    return _sessions().row(key) is not None if in_database else session.exists(key)


def still_allowed(badge: Badge) -> Operator | None:
    """The user and their rights as they are now; None where they have signed out, or are no active staff any more, or
    have another password. Reads the database."""
    user = _users().instance(badge.user_pk)
    if user is None or not (user.is_active and user.is_staff) or user.get_session_auth_hash() != badge.auth_hash:
        return None
    if badge.session_key and not _exists(badge.session, badge.session_key):
        return None
    return Operator(user, rights_of(user))


SHARED_SECONDS = 0.5
_answers: "dict[Any, asyncio.Future[Operator | None]]" = {}


def shared_answer(ask: Callable[[], Awaitable[Operator | None]], badge: Badge) -> "asyncio.Future[Operator | None]":
    """What `ask` gives, or has just given to another socket of the same sign-in. For the loop's thread."""
    loop = asyncio.get_running_loop()
    key = loop, badge.user_pk, badge.auth_hash, badge.session_key
    if key not in _answers:
        _answers[key] = asyncio.ensure_future(ask())
        loop.call_later(SHARED_SECONDS, _answers.pop, key)
    return asyncio.shield(_answers[key])


def answering(rights: Rights) -> dict[str, Any]:
    """At which bots they answer, as the hint "seen" has it. Asks the database only where bots are somebody's own."""
    general = rights.general >= Role.ANSWER
    others = [pk for pk, role in rights.named.items() if (role >= Role.ANSWER) != general]
    names = Bot.objects.filter(pk__in=others).values_list("name", flat=True) if others else []
    return {"general": general, "others": list(names)}
