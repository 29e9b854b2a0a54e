"""Base classes for bots: what most of them write in the neutral names, written once.

Both are plain Channels consumers, and whatever a consumer can do works beside them: a handler of a protocol's own
(`telegram_message_reaction`…), `send`, groups, `StopConsumer`. An author defines the methods that the bot needs, and no
others:

    received(message: Message)    a message
    pressed(button: Button)       a button was pressed
    result(event: Result)         what became of something sent with a `ref`
    resumed(event: Resume)        an operator has handed the conversation back
    ended(event: Disconnect)      the scope ends
    filled(form: Form)            a visitor has filled in the widget's form
    rated(rating: Rating)         a visitor has said how it was

An event without a method is settled by the gateway and disturbs nobody.
"""

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, NotRequired, TypedDict

from channels.consumer import AsyncConsumer, SyncConsumer

from gateway.errors import Unsendable
from gateway.types import Buttons, Event, Person, Scope

AnyButton = str | tuple[str, str] | dict[str, str]
AnyButtons = Sequence[AnyButton | Sequence[AnyButton]]
"""Rows of buttons, or one row. A button is its text, or `(text, data)`, or `{"text": …, "data": …}`."""


class Sender(TypedDict):
    """Who spoke in a room: `id` is the visitor's for good, `name` what they call themselves now."""

    id: str
    name: str


class Message(TypedDict):
    """What was said. `date` is in seconds since 1970; `redelivered`: an attempt before this one did not finish.

    `files` where there are any, each with `id`, `url`, `name`, `type`, `size`; `sender` in a room.
    """

    type: str
    text: str
    message_id: int | str
    date: int
    files: NotRequired[list[dict[str, Any]]]
    sender: NotRequired[Sender]
    redelivered: bool


class Button(TypedDict):
    """`data` of the button that was pressed. Its message and the date where the protocol tells them."""

    type: str
    data: str
    message_id: NotRequired[int]
    date: NotRequired[int]
    sender: NotRequired[Sender]
    redelivered: bool


class Result(TypedDict):
    """What became of the message or call that was sent with `ref`: `result` if `ok`, else `error`."""

    type: str
    ref: str
    ok: bool
    result: NotRequired[Any]
    error: NotRequired[str]
    redelivered: bool


class Resume(TypedDict):
    """`messages`: what was said while an operator had the conversation, each with `from`, `name`, `text`, `at`."""

    type: str
    messages: list[dict[str, Any]]
    redelivered: bool


class Disconnect(TypedDict):
    """`code`: "idle", "blocked", "closed", or "shutdown", after which the next process resumes the scope."""

    type: str
    code: str
    redelivered: bool


class Form(TypedDict):
    """`values`: what was filled in, by the names of the fields."""

    type: str
    values: dict[str, str]
    redelivered: bool


class Rating(TypedDict):
    """`score` is 1 to 5; `text` may be empty."""

    type: str
    score: int
    text: str
    redelivered: bool


HANDLERS = {
    "received": "chat_received_message",
    "pressed": "chat_button",
    "result": "chat_result",
    "resumed": "chat_resume",
    "ended": "chat_disconnect",
    "filled": "chat_form",
    "rated": "chat_rating",
}


class _Bot:
    """What both kinds have in common."""

    scope: Scope
    asynchronous: ClassVar[bool]
    state_in_session: ClassVar[bool] = False
    """To be set by a bot that keeps nothing but its session: no attributes, tasks or groups. Where many conversations
    are idle, its instances are let go, and made again by the next event."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, handler in HANDLERS.items():
            method = getattr(cls, name, None)
            if method is None:
                continue
            cls._check(name, method)
            # The gateway looks handlers up on the class: one exists only where there is a method for it.
            if not hasattr(cls, handler):
                setattr(cls, handler, _calling(name))

    @classmethod
    def _check(cls, name: str, method: Any) -> None:
        """Channels would drop the coroutine of the one, and wait for the None of the other."""
        if inspect.iscoroutinefunction(method) and not cls.asynchronous:
            raise TypeError(f"{cls.__name__}.{name} is async: derive from AsyncBotConsumer, or write a plain def.")
        if inspect.isfunction(method) and not inspect.iscoroutinefunction(method) and cls.asynchronous:
            raise TypeError(f"{cls.__name__}.{name} is not async: derive from BotConsumer, or write async def.")

    @property
    def session(self) -> dict[str, Any]:
        """What the bot remembers of this scope: a JSON dict, saved with each settled event. Change it in place."""
        session: dict[str, Any] = self.scope["session"]
        return session

    @property
    def person(self) -> Person:
        """Who is talking: `id`, `name`, `username`, `language`, and `user_id` of the linked Django user, if any."""
        scope = self.scope
        identity = str(scope["user_id"] or "")
        return Person(identity, scope["name"], scope["username"], scope["language"], scope["user"].pk)


def _calling(name: str) -> Any:
    # Async or not, the method's own return value is what Channels expects of the handler.
    def handler(self: Any, event: Event) -> Any:
        return getattr(self, name)(event)

    return handler


class BotConsumer(_Bot, SyncConsumer):
    """A bot in plain functions. Each conversation has a thread of its own to block."""

    asynchronous = False

    def reply(self, text: str, buttons: AnyButtons | None = None, ref: str = "", **more: Any) -> None:
        """Says something. `ref` is the bot's own name for it; `more` goes to the protocol as it is (`parse_mode`…)."""
        self.send(message_event("chat.send_message", text, buttons, ref, more))

    def edit(self, ref: str, text: str, buttons: AnyButtons | None = None, **more: Any) -> None:
        """Changes the last message that was sent with that `ref`; without `buttons` it loses those that it had."""
        self.send(message_event("chat.edit_message", text, buttons, ref, more))

    def ask_human(self, text: str = "") -> None:
        """The conversation waits for an operator, who reads `text`. The bot goes on hearing and may go on talking."""
        self.send({"type": "chat.ask_human", "text": text})

    def typing(self) -> None:
        """Shows for some seconds that the bot is at work."""
        self.send({"type": "chat.typing"})

    def close(self) -> None:
        """Ends the scope, once the event in hand is done: the session is forgotten, the conversation is not."""
        self.send({"type": "chat.close"})


class AsyncBotConsumer(_Bot, AsyncConsumer):
    """A bot in coroutines, for those that wait for much at once. What blocks must leave by `sync_to_async`."""

    asynchronous = True

    async def reply(self, text: str, buttons: AnyButtons | None = None, ref: str = "", **more: Any) -> None:
        """As BotConsumer.reply."""
        await self.send(message_event("chat.send_message", text, buttons, ref, more))

    async def edit(self, ref: str, text: str, buttons: AnyButtons | None = None, **more: Any) -> None:
        """As BotConsumer.edit."""
        await self.send(message_event("chat.edit_message", text, buttons, ref, more))

    async def ask_human(self, text: str = "") -> None:
        """As BotConsumer.ask_human."""
        await self.send({"type": "chat.ask_human", "text": text})

    async def typing(self) -> None:
        """As BotConsumer.typing."""
        await self.send({"type": "chat.typing"})

    async def close(self) -> None:
        """As BotConsumer.close."""
        await self.send({"type": "chat.close"})


def message_event(kind: str, text: str, buttons: AnyButtons | None, ref: str, more: dict[str, Any]) -> Event:
    """Only what was given is in it, so that the protocol's own defaults hold. Raises Unsendable for odd buttons."""
    event: Event = {**more, "type": kind, "text": text}
    if ref:
        event["ref"] = ref
    if buttons:
        event["buttons"] = button_rows(buttons)
    return event


def button_rows(buttons: AnyButtons) -> Buttons:
    """A list is a row, a tuple is a button."""
    nested = all(isinstance(row, list) for row in buttons)
    rows: Sequence[Any] = buttons if nested else [buttons]
    return [[_button(button) for button in row] for row in rows]


def _button(button: Any) -> dict[str, str]:
    match button:
        case str(text):
            return {"text": text, "data": text}
        case (str(text), str(data)):
            return {"text": text, "data": data}
        case {"text": str(text), "data": str(data)}:
            return {"text": text, "data": data}
    raise Unsendable(f"{button!r} is no button: give its text, (text, data), or {{'text': …, 'data': …}}.")
