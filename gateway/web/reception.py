"""What the hellos of one engine ask the database."""

from functools import partial
from uuid import UUID

from gateway.web import options, origins
from gateway.web.gathered import Gathered
from gateway.web.live import Live
from gateway.web.options import Sight


class Reception:
    def __init__(self, live: Live) -> None:
        self.live = live
        self._lists: Gathered[str, str] = Gathered(partial(live.engine.read, origins.lists_of))
        self._sights: Gathered[tuple[UUID, str], Sight] = Gathered(partial(live.engine.read, options.look))

    async def allows(self, origin: str | None, bot: str) -> bool:
        """May a page of that origin talk to that bot?"""
        return origins.is_on(await self._lists.ask(bot), str(origin))

    async def look(self, conversation: UUID, bot: str) -> Sight:
        return await self._sights.ask((conversation, bot))


_reception: Reception | None = None


def reception_of(live: Live) -> Reception:
    global _reception
    if _reception is None or _reception.live is not live:
        _reception = Reception(live)
    return _reception
