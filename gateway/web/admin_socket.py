"""`/ws/chat/admin/`: operators see the conversations of all protocols live, and take part."""

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DatabaseError

from gateway import engine, hints
from gateway.access import Rights
from gateway.errors import Denied, NotReady, Unsendable
from gateway.models import Role
from gateway.transcript.noting import name_of
from gateway.web import acts, frames, listing, operator_frames, origins, person, rows, staff
from gateway.web.acts import ACTS, Asked
from gateway.web.board import Board, board_of
from gateway.web.frames import Frame, OperatorHello, Watch
from gateway.web.live import Live, Reader, live_of
from gateway.web.operator_frames import Unwatch
from gateway.web.reception import reception_of
from gateway.web.rows import Listed, Place
from gateway.web.socket import Socket
from gateway.web.staff import Badge, Operator

if TYPE_CHECKING:
    from gateway.engine import Engine

CHECK_SECONDS = 4.0
SEEN_SECONDS = 20.0

Followed = tuple[Reader, "asyncio.Task[None]"]


class AdminChatConsumer(Socket):
    vocabulary = operator_frames.ADMIN
    badge: Badge
    _live: Live

    def __init__(self) -> None:
        self._board: Board | None = None
        self._rights = Rights()
        self._told: Rights | None = None
        self._shown: dict[int, int] = {}
        self._watched: dict[int, Followed] = {}
        self._user: Any = None

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
        operator, place = await running.read(before_acting, self.badge, getattr(frame, "conversation", ""))
        operator = await self._heed(running, operator)
        if operator is None:
            return
        try:
            await self._act(running, operator.user, frame, place)
        except Denied as denied:
            self._deny(frame, denied.code, denied.detail)
        except Unsendable as error:
            self._deny(frame, "bad_frame", str(error))

    async def _act(self, running: "Engine", user: Any, frame: Frame, place: Place | None) -> None:
        if isinstance(frame, OperatorHello):
            await self._tell_rights(running)
            await self._show_recent(running, frame.recent)
        elif isinstance(frame, operator_frames.List):
            await self.put(await running.read(listing.answer, self._rights, user, frame))
        elif isinstance(frame, operator_frames.Counts):
            counts = await running.read(listing.counts, self._rights)
            await self.put(frames.encode({"type": "counts", "counts": counts}))
        elif isinstance(frame, operator_frames.Replies):
            await self.put(await running.read(person.replies, self._rights))
        elif place is None:
            raise unknown()
        else:
            await self._act_in(running, user, place, frame)

    async def _act_in(self, running: "Engine", user: Any, place: Place, frame: Frame) -> None:
        """What is about one conversation. Raises Denied; one that is not theirs to see is as if there were none."""
        if isinstance(frame, Watch | Unwatch):
            acts.refuse(Role.WATCH, self._rights, place.bot)
            await (self._watch(running, place, frame) if isinstance(frame, Watch) else self._unwatch(place.pk))
            return
        act = ACTS[type(frame)]
        acts.refuse(act.role, self._rights, place.bot)
        answer = await act.do(Asked(running, user, self._rights, place, frame, self.tag))
        if answer is not None:
            await self.put(answer)
        if act.shown:
            await self._show_to_all(running, str(getattr(frame, "conversation", "")))

    def _deny(self, frame: Frame, code: str, detail: str) -> None:
        about = {name: getattr(frame, name) for name in ("conversation", "row") if hasattr(frame, name)}
        self.offer(frames.error(code, detail, getattr(frame, "id", None), **about))

    # What is theirs

    async def _heed(self, running: "Engine", operator: Operator | None) -> Operator | None:
        """Who this is now, and what they may; None where the socket ends, since they may not all they might before."""
        if operator is None:
            self.end(frames.NOT_ALLOWED)
            return None
        before, self._rights, self._user = self._rights, operator.rights, operator.user
        if self._rights.hides_more_than(before) and (self._board or self._watched):
            # What it has shown it cannot take back: the next socket shows what there is to see.
            self.end(frames.NOT_ALLOWED)
            return None
        if self._told is not None and self._told != self._rights:
            await self._tell_rights(running)
        if self._board is not None and before.hides_more_than(self._rights):
            await self._show_recent(running, rows.RECENT)
        return operator

    async def _tell_rights(self, running: "Engine") -> None:
        self._told = self._rights
        self.offer(await running.read(person.rights_frame, self._rights))

    async def _hand_back(self, running: "Engine", user: Any) -> None:
        """What they hold and may no longer answer: it would wait for them for ever."""
        for uuid in await reception_of(live_of(running)).held_without(user, self._rights):
            with contextlib.suppress(Denied):  # They have just done so themselves.
                await running.release(str(uuid), user)
                await self._show_to_all(running, str(uuid))

    # The list

    async def _show_recent(self, running: "Engine", number: int) -> None:
        # Joined first: what changes while the recent ones are read is shown too, and an older frame is dropped.
        self._board = board_of(live_of(running))
        self._board.join(self)
        self._shown.clear()
        for listed in await running.read(rows.recent_conversations, self._rights, number):
            self.show_conversation(listed)

    def show_conversation(self, listed: Listed) -> None:
        if self._rights.may(Role.WATCH, listed.bot) and listed.rev >= self._shown.get(listed.pk, 0):
            self._shown[listed.pk] = listed.rev
            self.offer(listed.text)

    async def _show_to_all(self, running: "Engine", uuid: str) -> None:
        """Also where nothing changed, since somebody asked."""
        place = await running.read(find, uuid)
        if place is not None:
            board_of(live_of(running)).hear({place.pk: place.rev})

    # Watching

    async def _watch(self, running: "Engine", place: Place, frame: Watch) -> None:
        await self._unwatch(place.pk)
        self._live = live_of(running)
        reader = Reader(self, min(max(frame.since, 0), place.rev), frame.conversation)
        self._watched[place.pk] = reader, self.spawn(self._follow(reader, place, frame))

    async def _follow(self, reader: Reader, place: Place, frame: Watch) -> None:
        """The newest rows in one frame, where that was asked for; then whatever changes."""
        uuid = UUID(frame.conversation)
        if frame.recent is not None and not frame.since:
            await self.put(await self._live.read(rows.newest, place.pk, str(uuid), place.rev, frame.recent))
            reader.last = place.rev
        await self._live.follow_as_operator(reader, place.pk, uuid, place.rev)
        self._show_here(place.pk, reader)

    async def _unwatch(self, conversation: int) -> None:
        if conversation in self._watched:
            reader, following = self._watched.pop(conversation)
            following.cancel()
            await asyncio.wait({following})
            self._live.leave(reader)
            self._show_here(conversation, reader, gone=True)

    def _show_here(self, conversation: int, reader: Reader, *, gone: bool = False) -> None:
        """Other operators see who watches with them."""
        about = {"user": self._user.get_username(), "name": name_of(self._user), "by": self.tag}
        self._live.engine.ring.hint(conversation, hints.here(reader.place, **about, gone=gone))

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
            ask = partial(running.read, staff.still_allowed, self.badge)
            operator = await self._heed(running, await staff.shared_answer(ask, self.badge))
            if operator is not None and tell:
                if reception_of(live_of(running)).is_time_to_tell_of(self.badge.user_pk, self._rights):
                    await self._tell_of(running, operator)
                for conversation, (reader, _) in self._watched.items():
                    self._show_here(conversation, reader)
        except (NotReady, DatabaseError):
            return  # Who cannot be asked is asked again.

    async def _tell_of(self, running: "Engine", operator: Operator) -> None:
        await self._hand_back(running, operator.user)
        running.operator_seen(self.badge.user_pk)
        running.ring.hint(0, hints.seen(**await running.read(staff.answering, operator.rights)))

    def left(self) -> None:
        if self._board is not None:
            self._board.leave(self)
        for conversation, (reader, _) in self._watched.items():
            self._live.leave(reader)
            self._show_here(conversation, reader, gone=True)


def before_acting(badge: Badge, conversation: str) -> tuple[Operator | None, Place | None]:
    """Who asks, and about what, as they are now. Reads the database."""
    return staff.still_allowed(badge), find(conversation)


def find(conversation: str) -> Place | None:
    try:
        return rows.find_place(UUID(conversation))
    except ValueError:
        return None


def unknown() -> Denied:
    return Denied("unknown_conversation", "There is no such conversation.")
