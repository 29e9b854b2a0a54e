"""`/ws/chat/room/<name>/`: several visitors, the bot and operators in one conversation, each with a name."""

from msgspec.structs import replace

from gateway.web import rooms
from gateway.web.frames import BadFrame, Hello
from gateway.web.identity import Identified
from gateway.web.options import Options, Sight
from gateway.web.public_socket import PublicChatConsumer, Talk
from gateway.web.rows import owner_of


class RoomChatConsumer(PublicChatConsumer):
    """The public socket, whose conversation is the room's; the token stays the visitor's own."""

    async def refusal(self) -> str | None:
        if not rooms.is_name(self._name):
            return f"{self._name[:64]!r} is no name of a room: it has 1 to 64 letters, digits, _ or -."
        return await super().refusal()

    @property
    def _name(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["room"])

    def _furnish(self, talk: Talk, hello: Hello) -> None:
        room = rooms.named(self._name, talk.bot)
        talk.conversation, talk.intake.room = room.uuid, room
        talk.reader.owner = owner_of(talk.visitor)

    async def _welcome(
        self, talk: Talk, sight: Sight, hello: Hello, since: int, identified: Identified | None = None
    ) -> None:
        """What is one person's (a form, a rating) is not a room's."""
        room = sight._replace(options=Options(uploads=sight.options.uploads))
        await super()._welcome(talk, room, hello, since, identified)
        person = talk.intake.person
        talk.intake.person = replace(person, name=self._called(talk, hello, person.name))

    def _called(self, talk: Talk, hello: Hello, known: str) -> str:
        try:
            return rooms.speaker(hello.name or known)
        except BadFrame:
            return rooms.first_name(talk.visitor)
