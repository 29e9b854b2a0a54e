"""What many sockets of one engine ask the database at the same time."""

import time
from functools import partial
from typing import Any
from uuid import UUID

from gateway.access import Rights
from gateway.models import Role
from gateway.web import options, origins, rows
from gateway.web.gathered import Gathered
from gateway.web.live import Live
from gateway.web.options import Sight
from gateway.web.rows import Held

TOLD_SECONDS = 5.0


class Reception:
    def __init__(self, live: Live) -> None:
        self.live = live
        self._lists: Gathered[str, str] = Gathered(partial(live.engine.read, origins.lists_of))
        self._sights: Gathered[tuple[UUID, str], Sight] = Gathered(partial(live.engine.read, options.look))
        self._told_of: dict[Any, tuple[float, Rights]] = {}
        self._held: Gathered[Any, list[Held]] = Gathered(partial(live.engine.read, rows.held_by))

    async def allows(self, origin: str | None, bot: str) -> bool:
        """May a page of that origin talk to that bot?"""
        return origins.is_on(await self._lists.ask(bot), str(origin))

    async def look(self, conversation: UUID, bot: str) -> Sight:
        return await self._sights.ask((conversation, bot))

    def is_time_to_tell_of(self, operator: Any, rights: Rights) -> bool:
        """That they are here, with these rights. Of the many pages that somebody has open each would say the same."""
        now, told = time.monotonic(), self._told_of.get(operator)
        if told is not None and told[1] == rights and now - told[0] < TOLD_SECONDS:
            return False
        self._told_of[operator] = now, rights
        return True

    async def held_without(self, user: Any, rights: Rights) -> list[UUID]:
        """The conversations that `user` holds and may not answer."""
        return [held.uuid for held in await self._held.ask(user.pk) if not rights.may(Role.ANSWER, held.bot)]


_reception: Reception | None = None


def reception_of(live: Live) -> Reception:
    global _reception
    if _reception is None or _reception.live is not live:
        _reception = Reception(live)
    return _reception
