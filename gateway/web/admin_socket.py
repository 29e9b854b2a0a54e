"""`/ws/chat/admin/`: operators see the conversations of all protocols live, and take part."""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DatabaseError

from gateway import engine
from gateway.errors import Denied, NotReady, Unsendable
from gateway.web import frames, origins, rows, staff
from gateway.web.board import Board, board_of
from gateway.web.frames import Frame, OperatorHello, Release, Say, Take, Watch
from gateway.web.live import Live, Reader, live_of
from gateway.web.rows import Place, Shown
from gateway.web.socket import Socket
from gateway.web.staff import Badge

if TYPE_CHECKING:
    from gateway.engine import Engine

CHECK_SECONDS = 4.0
SEEN_SECONDS = 20.0

Followed = tuple[Reader, "asyncio.Task[None]"]


class AdminChatConsumer(Socket):
    vocabulary = frames.ADMIN
    badge: Badge
    _live: Live

    def __init__(self) -> None:
        self._board: Board | None = None
        self._shown: dict[int, int] = {}
        self._watched: dict[int, Followed] = {}

    async def refusal(self) -> str | None:
        origin = origins.of(self.scope)
        if origin is None or origin not in origins.own():
            return (
                f"origin {origins.as_sent(self.scope)} may not open the admin socket: only our own may, "
                "which is that of PUBLIC_URL."
            )
        badge = staff.badge_of(self.scope)
        if badge is None:
            return "the admin socket is for active staff users who have signed in."
        self.badge = badge
        return None

    def opened(self) -> None:
        self.spawn(self._keep_checking())

    async def hear(self, frame: Frame) -> None:
        running = engine.current()
        user = await running.read(staff.still_allowed, self.badge)
        if user is None:
            self.end(frames.NOT_ALLOWED)
            return
        if isinstance(frame, OperatorHello):
            await self._show_recent(running)
            return
        try:
            await self._act(running, user, frame)
        except Denied as denied:
            self._deny(frame, denied.code, denied.detail)
        except Unsendable as error:
            self._deny(frame, "bad_frame", str(error))

    async def _act(self, running: "Engine", user: Any, frame: Frame) -> None:
        if isinstance(frame, Watch):
            await self._watch(running, frame)
        elif isinstance(frame, Take):
            await running.take(frame.conversation, user)
            await self._show_to_all(running, frame.conversation)
        elif isinstance(frame, Release):
            await running.release(frame.conversation, user)
            await self._show_to_all(running, frame.conversation)
        elif isinstance(frame, Say):
            await self._say(running, user, frame)

    async def _say(self, running: "Engine", user: Any, frame: Say) -> None:
        uuid, seen = frame.conversation, min(max(frame.seen, 0), 2**63 - 1)
        receipt = await running.say(uuid, user, client_id=frame.id, text=frame.text, seen=seen)
        await self.put(frames.ack(frame.id, receipt.seq, receipt.rev))

    def _deny(self, frame: Frame, code: str, detail: str) -> None:
        uuid = getattr(frame, "conversation", "")
        self.offer(frames.error(code, detail, getattr(frame, "id", None), conversation=uuid))

    # The list

    async def _show_recent(self, running: "Engine") -> None:
        # Joined first: what changes while the recent ones are read is shown too, and an older frame is dropped.
        self._board = board_of(live_of(running))
        self._board.join(self)
        self._shown.clear()
        for pk, shown in await running.read(rows.recent_conversations):
            self.show_conversation(pk, shown)

    def show_conversation(self, conversation: int, shown: Shown) -> None:
        if shown.rev >= self._shown.get(conversation, 0):
            self._shown[conversation] = shown.rev
            self.offer(shown.text)

    async def _show_to_all(self, running: "Engine", uuid: str) -> None:
        """Also where nothing changed, since somebody asked."""
        place = await find(running, uuid)
        board_of(live_of(running)).hear({place.pk: place.rev})

    # Watching

    async def _watch(self, running: "Engine", frame: Watch) -> None:
        place = await find(running, frame.conversation)
        await self._unwatch(place.pk)
        self._live = live_of(running)
        reader = Reader(self, min(max(frame.since, 0), place.rev))
        following = self.spawn(self._live.follow_as_operator(reader, place.pk, UUID(frame.conversation)))
        self._watched[place.pk] = reader, following

    async def _unwatch(self, conversation: int) -> None:
        if conversation in self._watched:
            reader, following = self._watched.pop(conversation)
            following.cancel()
            await asyncio.wait({following})
            self._live.leave(reader)

    # Still here, still allowed

    async def _keep_checking(self) -> None:
        rounds = round(SEEN_SECONDS / CHECK_SECONDS)
        while True:
            for number in range(rounds):
                await self._check(tell=number == 0)
                await asyncio.sleep(CHECK_SECONDS)

    async def _check(self, *, tell: bool) -> None:
        try:
            running = engine.current()
            if await running.read(staff.still_allowed, self.badge) is None:
                self.end(frames.NOT_ALLOWED)
            elif tell:
                running.operator_seen(self.badge.user_pk)
        except (NotReady, DatabaseError):
            return  # Who cannot be asked is asked again.

    def left(self) -> None:
        if self._board is not None:
            self._board.leave(self)
        for reader, _ in self._watched.values():
            self._live.leave(reader)


async def find(running: "Engine", uuid: str) -> Place:
    try:
        place = await running.read(rows.find_place, UUID(uuid))
    except ValueError:
        place = None
    if place is None:
        raise Denied("unknown_conversation", "There is no such conversation.")
    return place
