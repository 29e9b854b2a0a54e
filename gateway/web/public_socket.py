"""`/ws/chat/`: a visitor talks with a bot. The conversation belongs to the visitor's token, not to the socket."""

import asyncio
import random
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from msgspec.structs import replace

from gateway import addresses, engine, flow, limits
from gateway.errors import NotReady
from gateway.limits import Pace, Places, Verdict
from gateway.types import Receive, Scope, Send
from gateway.web import bots, frames, history, identity, origins, tokens, visitors
from gateway.web.asides import Asides
from gateway.web.frames import BadFrame, Button, Frame, Hello, Message
from gateway.web.identity import BadIdentity, Identified
from gateway.web.intake import Intake
from gateway.web.live import Live, Reader, live_of
from gateway.web.options import Options, Sight
from gateway.web.reception import reception_of
from gateway.web.rooms import COMMAND
from gateway.web.socket import Socket, logger
from gateway.web.tokens import BadToken
from gateway.web.whispers import whispers_of

FINISH_SECONDS = 4.0
# For whom is turned away, before they are told: whoever comes back at once would cost a handshake each time. Not the
# same for all, or those who came together would come together again.
TURNED_AWAY_SECONDS = 1.0, 3.0
GONE = frames.error("bad_token", "This conversation was deleted: you are a new visitor.")


class Talk:
    """What a socket is about once its hello was taken. `conversation` is its UUID, which a visitor alone shares."""

    def __init__(self, socket: "PublicChatConsumer", live: Live, bot: str, visitor: UUID, pace: Pace) -> None:
        self.live = live
        self.bot = bot
        self.visitor = self.conversation = visitor
        self.options = Options()
        self.recent: int | None = None
        self.welcomed = False
        self.born_as: int | None = None
        self.rev = 0
        self.reader = Reader(socket, 0)
        self.intake = Intake(live, bot, visitor, pace, socket.offer, socket.spawn)
        self.asides = Asides(socket, self)


class PublicChatConsumer(Socket):
    vocabulary = frames.PUBLIC

    def __init__(self) -> None:
        self._talk: Talk | None = None
        self._limits = limits.current()
        self._pace = self._limits.pace()
        self._address: str | None = None
        self._places: list[tuple[Places, object]] = []
        self._following: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._address = addresses.of_scope(scope)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_places_back()

    async def refusal(self) -> str | None:
        try:
            allowed = await origins.may_ask(self.scope)
        except (NotReady, DatabaseError):
            return f"whether origin {origins.as_sent(self.scope)} is on a bot's list cannot be asked just now."
        if not allowed:
            return (
                f"origin {origins.as_sent(self.scope)} may not open the public socket. It is on no list: "
                "see WIDGET_ORIGINS, and the widget origins of each bot."
            )
        if self._address is not None and not self._takes(self._limits.addresses_sockets, self._address):
            return f"{self._address} has as many sockets open as SOCKETS_PER_ADDRESS allows."
        if self._address is not None and (wait := self._limits.doors.of(self._address).wait()):
            await asyncio.sleep(wait)
        return None

    def weigh(self) -> Verdict:
        verdict = self._pace.weigh()
        if verdict is Verdict.TOO_MUCH:
            logger.warning("Socket closed: a visitor goes on beyond MESSAGES_PER_SECOND or MESSAGES_PER_MINUTE.")
        return verdict

    async def hear(self, frame: Frame) -> None:
        if isinstance(frame, Hello):
            await self._greet(frame)
        elif self._talk is None:
            raise BadFrame("bad_frame", "The first frame is a hello.", getattr(frame, "id", None))
        elif isinstance(frame, Message) and self._talk.intake.room is not None and frame.text.startswith(COMMAND):
            self._talk.asides.rename(frame.text.removeprefix(COMMAND), frame.id)
        elif isinstance(frame, Message | Button):
            await self._talk.intake.put(frame)
        else:
            await self._talk.asides.hear(frame)

    # Hello

    async def _greet(self, hello: Hello) -> None:
        if self._talk is not None:
            raise BadFrame("bad_frame", "This socket has had its hello.")
        running = engine.current()
        if not bots.is_known(running, hello.bot):
            raise BadFrame("unknown_bot", f"There is no bot named {hello.bot[:64]!r}.")
        came_back = self._known_visitor(hello)
        identified = await self._identified(running, hello)
        if identified is not None and identified.visitor != came_back:
            # What the page has read is of a conversation that it had before it knew who this is.
            came_back, hello = identified.visitor, replace(hello, since=0)
        # Before anything is asked of the database.
        if came_back is not None and not await self._keeps_pace(came_back):
            return
        live = live_of(running)
        if not await reception_of(live).allows(origins.of(self.scope), hello.bot):
            self._refuse_origin(hello.bot)
            return
        visitor = came_back or await self._new_visitor()
        if visitor is None or not await self._has_room(visitor):
            return
        # Tabs are joined before the look for the row: it may be born in between.
        talk = Talk(self, live, hello.bot, visitor, self._pace)
        self._furnish(talk, hello)
        live.tabs.join(talk.conversation, self)
        self._talk = talk
        try:
            sight = await reception_of(live).look(talk.conversation, hello.bot)
        except (NotReady, DatabaseError):
            self._talk = None
            live.tabs.leave(talk.conversation, self)
            self._give_back(self._limits.visitors_sockets, visitor)
            raise
        await self._welcome(talk, sight, hello, hello.since if came_back else 0, identified)

    def _furnish(self, talk: Talk, hello: Hello) -> None:
        """What the kind of socket adds to its talk."""

    async def _identified(self, running: engine.Engine, hello: Hello) -> Identified | None:
        if hello.identity is None:
            return None
        try:
            return await running.read(identity.read, hello.identity, hello.signature, hello.bot)
        except BadIdentity as bad:
            self.offer(frames.error("bad_identity", str(bad)))
            return None

    def _refuse_origin(self, bot: str) -> None:
        sent = origins.as_sent(self.scope)
        logger.warning("Socket closed: origin %s is not on the list of bot %r (its widget origins).", sent, bot)
        self.offer(frames.error("bad_origin", f"Pages of this site may not talk with {bot!r}."))
        self.end(frames.BAD_ORIGIN)

    def _known_visitor(self, hello: Hello) -> UUID | None:
        if hello.token is None:
            return None
        try:
            return tokens.read(hello.token, hello.bot)
        except BadToken:
            self.offer(frames.error("bad_token", "The token is not valid any more: you are a new visitor."))
            return None

    async def _new_visitor(self) -> UUID | None:
        """None: no more of them from there, just now."""
        is_known = visitors.signed_in(self.scope) is not None or self._address is None
        if is_known or not self._limits.starts.of(self._address).admit():
            visitor = tokens.new_visitor()
            return visitor if await self._keeps_pace(visitor) else None
        await self._turn_away(f"{self._address} begins more chats than NEW_CHATS_PER_MINUTE allows.")
        return None

    async def _keeps_pace(self, visitor: UUID) -> bool:
        """From here on the visitor's tabs share one pace, which hellos count in too."""
        self._pace = self._limits.paces.of(visitor)
        if self._pace.weigh() is Verdict.ADMITTED:
            return True
        await self._turn_away("a visitor comes back faster than MESSAGES_PER_SECOND or MESSAGES_PER_MINUTE allows.")
        return False

    async def _has_room(self, visitor: UUID) -> bool:
        if self._takes(self._limits.visitors_sockets, visitor):
            return True
        await self._turn_away("a visitor has as many sockets open as SOCKETS_PER_VISITOR allows.")
        return False

    def _takes(self, places: Places, key: object) -> bool:
        if not places.take(key):
            return False
        self._places.append((places, key))
        return True

    def _give_back(self, places: Places, key: object) -> None:
        self._places.remove((places, key))
        places.leave(key)

    def _give_places_back(self) -> None:
        for places, key in self._places:
            places.leave(key)
        self._places.clear()

    async def _turn_away(self, reason: str) -> None:
        logger.warning("Socket closed: %s", reason)
        await asyncio.sleep(random.uniform(*TURNED_AWAY_SECONDS))  # noqa: S311  # jitter
        self.offer(frames.error("rate_limited", "Too many at once. Try again in a moment."))
        self.end(flow.FLOODING)

    async def _welcome(
        self, talk: Talk, sight: Sight, hello: Hello, since: int, identified: Identified | None = None
    ) -> None:
        talk.options, standing = sight
        seq, rev = (standing.seq, standing.rev) if standing else (0, 0)
        known = standing.person if standing else None
        talk.intake.person = visitors.person_of(self.scope, talk.visitor, known, hello.language)
        if identified is not None:
            told = identified.person
            name = told.name or talk.intake.person.name
            talk.intake.person = replace(talk.intake.person, name=name, details=told.details)
        if since > rev:
            self.offer(GONE)
            since = 0
        await self.put(welcome(talk, seq, rev))
        talk.rev = rev
        if standing is not None and standing.operator is not None:
            await self.put(frames.operator(standing.operator))
        talk.reader.last, talk.recent = max(since, 0), hello.recent
        talk.welcomed = True
        born_as = standing.pk if standing else talk.born_as
        if born_as is not None:
            self.born(born_as)

    # The conversation

    def born(self, conversation: int) -> None:
        """It has its row: there is something to follow. Not for the first time where the last one was deleted."""
        talk = self._talk
        if talk is None or self._over or conversation == talk.intake.conversation:
            return
        if talk.intake.conversation is not None:
            self._begin_anew(talk)
        talk.born_as = conversation
        if talk.welcomed:
            talk.intake.conversation = conversation
            self._following = self.spawn(self._follow(talk, conversation))

    def _begin_anew(self, talk: Talk) -> None:
        """What the tab shows is of a conversation that is no more."""
        if self._following is not None:
            self._following.cancel()
        talk.live.leave(talk.reader)
        owner, talk.rev = talk.reader.owner, 0
        talk.reader = Reader(self, 0)
        talk.reader.owner = owner
        self.offer(GONE)
        self.offer(welcome(talk, 0, 0))

    async def _follow(self, talk: Talk, conversation: int) -> None:
        if talk.recent is not None:
            newest = history.newest, conversation, talk.reader.last, talk.recent
            await talk.reader.catch_up(await talk.live.read(*newest))
        await talk.live.follow_as_visitor(talk.reader, conversation, talk.rev)

    def gone(self) -> None:
        # At once: whoever loads a page anew comes back before this socket's last words are committed.
        self._give_places_back()

    async def ended(self) -> None:
        if self._talk is not None:
            await self._talk.intake.until_accepted(FINISH_SECONDS)

    def left(self) -> None:
        if self._talk is not None:
            self._talk.live.leave(self._talk.reader)
            self._talk.live.tabs.leave(self._talk.conversation, self)
            vars(self._talk).clear()  # Each of these holds the others, and would until garbage is looked for.
            self._talk = None


def welcome(talk: Talk, seq: int, rev: int) -> str:
    frame = {
        "type": "welcome",
        "token": tokens.issue(talk.visitor, talk.bot),
        "conversation": str(talk.conversation),
        "seq": seq,
        "rev": rev,
        "bot": talk.bot,
        "options": offered(talk),
    }
    return frames.encode(frame)


def uploads_of(options: Options) -> dict[str, Any] | None:
    if not settings.UPLOADS or not options.uploads:
        return None
    return {"max": settings.UPLOAD_MAX_BYTES, "types": list(settings.UPLOAD_TYPES)}


def offered(talk: Talk) -> dict[str, Any]:
    """What the widget is to offer: DESIGN's frames need none of it."""
    options = talk.options
    return {
        "uploads": uploads_of(options),
        "form": {"when": options.form, "fields": options.fields} if options.form else None,
        "rating": options.rating,
        "online": whispers_of(talk.live).operators_are_online(talk.bot),
        "room": room.name if (room := talk.intake.room) else None,
    }
