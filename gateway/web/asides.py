"""What a visitor does beside talking: looks back, types, fills in the form, ends the conversation, rates it."""

from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError, OperationalError
from msgspec.structs import replace

from gateway import hints
from gateway.desk import end_scope
from gateway.models import Kind, Sender
from gateway.transcript import Say
from gateway.types import Inbound, Outbound, Receipt
from gateway.web import forms, frames, history, rooms, visitors
from gateway.web.frames import BadFrame, End, Form, Frame, History, Name, Rate, Typing
from gateway.web.ratings import Left, Rated
from gateway.web.socket import logger

if TYPE_CHECKING:
    from gateway.engine import Engine
    from gateway.web.public_socket import PublicChatConsumer, Talk


class Asides:
    """Of one socket, once it was welcomed."""

    def __init__(self, socket: "PublicChatConsumer", talk: "Talk") -> None:
        self._socket = socket
        self._talk = talk

    @property
    def _engine(self) -> "Engine":
        return self._talk.live.engine

    async def hear(self, frame: Frame) -> None:
        """Raises BadFrame, NotReady, and what the database raises."""
        if isinstance(frame, Typing):
            self._type()
        elif isinstance(frame, History):
            page = history.page, self._talk.intake.conversation, frame.before, frame.limit, self._talk.reader.owner
            await self._socket.put(await self._engine.read(*page))
        elif isinstance(frame, Form):
            await self._fill_in(frame)
        elif isinstance(frame, Name):
            self.rename(frame.name)
        elif isinstance(frame, End):
            await self._end()
        elif isinstance(frame, Rate):
            await self._rate(frame)

    def _type(self) -> None:
        talk, name = self._talk, self._talk.intake.person.name
        if talk.intake.conversation is None:  # Nobody but the visitor's other tabs knows of it yet.
            talk.live.tabs.forward(talk.conversation, self._socket, frames.typing("visitor", name))
        else:
            hint = hints.typing("visitor", str(talk.conversation), name=name, by=self._socket.tag)
            self._engine.ring.hint(talk.intake.conversation, hint)

    def rename(self, name: str, frame_id: str | None = None) -> None:
        """In a room people choose what they are called."""
        if self._talk.intake.room is None:
            raise BadFrame("bad_frame", "Only in a room does one choose a name.", frame_id)
        chosen = rooms.speaker(name, frame_id)
        self._talk.intake.person = replace(self._talk.intake.person, name=chosen)
        self._socket.offer(frames.encode({"type": "name", "name": chosen}))
        if frame_id is not None:
            self._socket.offer(frames.ack(frame_id, None, self._talk.rev))

    async def _fill_in(self, frame: Form) -> None:
        talk = self._talk
        values = forms.checked(frame, talk.options)
        text = forms.as_text(values, talk.options)
        inbound = visitors.form(frame, talk.bot, talk.intake.person, values, text)
        receipt = await self._accept(frame, inbound)
        if inbound.person is not None:
            talk.intake.person = inbound.person
        if talk.options.form == "offline" and not receipt.duplicate:
            note = Outbound(kind=Kind.NOTE, method="ask_human", text=text)
            await self._engine.submit(Say(receipt.conversation, note, sender=Sender.SYSTEM))
        self._answer(frame, receipt)

    async def _end(self) -> None:
        conversation = self._talk.intake.conversation
        if self._talk.intake.room is not None:
            raise BadFrame("bad_frame", "A room goes on without you.")
        if conversation is None:
            raise BadFrame("bad_frame", "There is no conversation to end.")
        await self._talk.intake.until_accepted()
        await self._engine.submit(Left(conversation))
        await end_scope(self._engine, conversation)

    async def _rate(self, frame: Rate) -> None:
        talk = self._talk
        if talk.intake.conversation is None or not talk.options.rating:
            raise BadFrame("bad_frame", "There is nothing to rate.", frame.id)
        seq = await self._engine.submit(Rated(talk.intake.conversation, frame.score, frame.text))
        inbound = visitors.rating(frame, talk.bot, talk.intake.person, seq)
        self._answer(frame, await self._accept(frame, inbound))

    async def _accept(self, frame: Form | Rate, inbound: Inbound) -> Receipt:
        try:
            return (await self._engine.accept([inbound]))[0]
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError as error:
            logger.error("What a visitor filled in could not be stored (%s).", type(error).__name__)
            raise BadFrame("bad_frame", "This could not be stored.", frame.id) from None

    def _answer(self, frame: Form | Rate, receipt: Receipt) -> None:
        self._socket.offer(frames.ack(frame.id, receipt.seq, receipt.rev))
        if self._talk.intake.conversation != receipt.conversation:
            self._talk.live.tabs.born(self._talk.conversation, receipt.conversation)
