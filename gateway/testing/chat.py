"""One person who talks with a bot in an author's test."""

import itertools
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from gateway.models import Conversation
from gateway.testing import rows
from gateway.testing.operator import Operator, operator_named
from gateway.testing.rows import Said
from gateway.testing.run import Run
from gateway.testing.updates import Speaker
from gateway.types import Application, Inbound, Person

T = TypeVar("T")

people = itertools.count(1)


class Chat:
    """`async with Chat(EchoConsumer.as_asgi(), protocol="webchat") as ann:`

    `application` is a bot's, a URLRouter of several (`bot` chooses), or the whole map. `user`: the Django user that the
    person is linked with. `chat`: `id`, `type`, `title`, `thread_id` of a group; without it the person's own.
    `timeout`: instead of CONVERSATION_TIMEOUT. `patience`: the most seconds that anything is waited for.
    """

    def __init__(
        self,
        application: Application | Run,
        *,
        protocol: str = "telegram",
        bot: str = "bot",
        name: str = "Ann",
        username: str = "",
        language: str = "en",
        user: Any = None,
        chat: dict[str, Any] | None = None,
        timeout: float | None = None,
        patience: float = 5.0,
    ) -> None:
        self.run = application if isinstance(application, Run) else Run(application, timeout=timeout, patience=patience)
        identity, uuid = identity_on(self.run, protocol)
        person = Person(identity, name, username, language, None if user is None else user.pk)
        own = {"id": int(identity) if uuid is None else identity, "type": "private", "title": "", "thread_id": None}
        self.speaker = Speaker(protocol, bot, person, {**own, **(chat or {})}, uuid)
        self.name = name
        self._pk: int | None = None
        self._last: Said | None = None
        self._heard = 0
        self._done: set[int] = set()

    async def __aenter__(self) -> Self:
        await self.run.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.run.__aexit__(kind, error, trace)

    def another(self, name: str, **more: Any) -> "Chat":
        """Somebody else on the same gateway, by default with the same bot on the same protocol. Not to be entered."""
        mine = {"protocol": self.speaker.protocol, "bot": self.speaker.bot}
        return Chat(self.run, name=name, **{**mine, **more})

    # What the person does

    async def says(self, text: str, **more: Any) -> None:
        """Returns once it is stored. `more`: further fields of the Bot API's Message (`photo=…`)."""
        await self._accept(self.speaker.message(text, more))

    async def presses(self, button: str) -> None:
        """Presses the newest button with that data or label, once there is one."""
        found = await self._until(lambda: rows.pressable(self._known, button), f"a button {button!r}")
        said, data, label = found
        courtesy = self.run.engine.protocols[self.speaker.protocol].courtesy
        await self._accept(self.speaker.press(data, label, said.message_id, courtesy))

    async def does(self, kind: str, **content: Any) -> None:
        """Anything else that the Bot API calls an update: `does("message_reaction", new_reaction=[…])`."""
        await self._accept(self.speaker.update(kind, content))

    async def blocks_the_bot(self) -> None:
        await self._accept(self.speaker.block())

    async def _accept(self, inbound: Inbound) -> None:
        (receipt,) = await self.run.engine.accept([inbound])
        self._pk = receipt.conversation

    # What the person sees

    async def hears(self) -> str:
        """The next message that was not heard yet, as it was said, whatever it was changed to since."""
        said = await self._until(lambda: rows.next_said(self._known, self._heard), "a message")
        self._heard, self._last = said.seq, said
        return said.text

    async def hears_nothing(self) -> None:
        """Waits until everything is settled and out."""
        await self.run.quiet()
        said = await self._read(lambda: rows.next_said(self._known, self._heard)) if self._pk else None
        if said is not None:
            raise AssertionError(f"{self.name} hears {said.text!r}")

    async def sees(self, part: str) -> str:
        """Waits until a message shows a text with that part in it, also by an edit; the newest one's whole text."""
        said = await self._until(lambda: rows.showing(self._known, part), f"{part!r} on the screen")
        self._last = said
        return said.shown

    @property
    def buttons(self) -> list[list[str]]:
        """What the buttons say under the message that was last heard or seen, in rows."""
        rows_of_it = self._last.buttons if self._last else []
        return [[button["text"] for button in row] for row in rows_of_it]

    async def gets(self, method: str) -> dict[str, Any]:
        """The arguments of the next call of that Bot API method which this person's chat gets: `gets("send_photo")`."""
        pk, params = await self._until(lambda: rows.call(self._known, method, self._done), f"a call of {method}")
        self._done.add(pk)
        return params

    # What goes on behind

    async def state(self) -> str:
        """As the console shows it: "bot", "waiting", "held" or "ended"."""
        await self.run.quiet()
        return (await self.conversation()).state

    async def session(self) -> dict[str, Any]:
        """The bot's `scope["session"]` as last saved."""
        await self.run.quiet()
        session: dict[str, Any] = (await self.conversation()).session
        return session

    async def notes(self) -> list[str]:
        """What the operators read and the person does not: `ask_human`, and the bot's late words."""
        await self.run.quiet()
        return await self._read(lambda: rows.notes(self._known))

    async def errors(self) -> list[str]:
        """Why events, messages and calls failed, in order; empty when all went well."""
        await self.run.quiet()
        return await self._read(lambda: rows.errors(self._known))

    async def operator(self, name: str = "Olga") -> Operator:
        """Somebody at the console."""
        return Operator(self, await self._read(lambda: operator_named(name)))

    async def silence(self, seconds: float | None = None) -> None:
        """Moves the gateway's clock; without `seconds` to the end of the scope. A bot's own sleeps take their time."""
        await self.run.silence(seconds)

    async def restart(self, *, killed: bool = False) -> None:
        """Ends the process, once all is settled, and starts the next one. `killed`: at once, whatever is in hand."""
        await self.run.restart(killed=killed)

    async def conversation(self) -> Conversation:
        """The row as it is now."""
        return await self._read(lambda: Conversation.objects.get(pk=self._known))

    # Reading

    @property
    def _known(self) -> int:
        if self._pk is None:
            raise AssertionError(f"{self.name} has not said anything yet")
        return self._pk

    async def _read(self, look: Callable[[], T]) -> T:
        return await self.run.engine.read(look)

    async def _until(self, look: Callable[[], T | None], what: str) -> T:
        found = await self.run.until(lambda: self._read(look))
        if found is None:
            said = await self._read(lambda: rows.transcript(self._known))
            raise AssertionError(f"{self.name} waited {self.run.patience:g} s for {what}. The transcript:\n{said}")
        return found


def identity_on(run: Run, protocol: str) -> tuple[str, str | None]:
    """A service knows people by numbers; those who come to the gateway itself get a UUID, their conversation's too."""
    if run.is_immediate(protocol):
        made = str(uuid4())
        return made, made
    return str(next(people)), None
