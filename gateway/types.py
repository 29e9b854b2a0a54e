"""The words that the rooms say to one another. Plain data; no model, no protocol.

msgspec's structs: every update makes half a dozen, and a frozen dataclass takes 0.1 µs for each of its fields.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from msgspec import Struct, field

Scope = MutableMapping[str, Any]
Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Buttons = list[list[dict[str, str]]]
"""Rows of buttons, each `{"text": …, "data": …}`."""


Rich = dict[str, Any]
"""What a message shows beside its plain text: `nodes`, a list of texts and `{"t": "b", "href"?, "c": [nodes]}`;
`files`, a list of `{"id", "url" or "remote", "name", "type", "size", "width"?, "height"?, "image"?}`. Either may
be missing."""


class Person(Struct, frozen=True):
    """Who is talking, as the protocol knows them. `user_id` is a linked Django user's primary key; `details`, where
    there are any, replace what is known of the person beside their name (`{"email": …}`)."""

    id: str
    name: str = ""
    username: str = ""
    language: str = ""
    user_id: int | None = None
    details: dict[str, Any] | None = None


class Outbound(Struct, frozen=True):
    """What is to be said or done outside, in the words of the Bot API, which every protocol maps to its own.

    `kind` is a `models.Kind`: "message" (words; has a `seq`), "edit", "call", or "note" (operators only).
    `method` and `params` are what the protocol delivers; `text` and `buttons` what people see of it.
    `rich` is what they see beside it. `error`, if any, says why this protocol cannot do it: the row is failed.
    """

    kind: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    buttons: Buttons | None = None
    ref: str = ""
    at_most_once: bool = False
    error: str = ""
    rich: Rich | None = None


class Move(Struct, frozen=True):
    """A chat has another id from now on.

    Conversations whose key is `old`, or begins with `old/`, get `new` in its place, and these values in their address
    and chat.
    """

    old: str
    new: str
    address: dict[str, Any]
    chat: dict[str, Any]


class Rate(Struct, frozen=True):
    """`burst` calls at once, then `per_second` of them."""

    burst: int
    per_second: float


class Limits(Struct, frozen=True):
    """How fast a chat, or a bot as a whole, may be called. None: as fast as anybody wants.

    `calls` holds for everything; announcements have to keep to `announcements` as well.
    """

    calls: Rate | None = None
    announcements: Rate | None = None


class Inbound(Struct, frozen=True):
    """An update on its way to becoming a row.

    `key` names the conversation within bot and protocol. `method` is the update's own kind ("message",
    "callback_query", …) and `event` the keys that the application gets under that name, without `type` and
    `redelivered`. `kind` is a `models.Kind`: "message", "button", "edit" or "update"; the first two are words and get a
    `seq`. `update_id` (a bot's) and `client_id` (a conversation's) make a second delivery a no-op. `courtesy` is what
    the gateway says itself where no application is fed (a button press must not spin). `edits` is the external id
    of the message whose visible text this update changes. `blocked`: True, the user has blocked the bot; False, they
    have unblocked it, or write to it. `error`: nobody understands the update; it is kept as a dead letter. `move`: the
    chat has another id, which `key` and `address` hold already. `speaker` is who said it where many share the
    conversation; `rich` what is seen beside `text`.
    """

    protocol: str
    bot: str
    key: str
    kind: str
    method: str
    event: dict[str, Any]
    text: str = ""
    person: Person | None = None
    chat: dict[str, Any] = field(default_factory=dict)
    address: dict[str, Any] = field(default_factory=dict)
    uuid: str | None = None
    update_id: int | None = None
    client_id: str | None = None
    external_id: int | None = None
    edits: int | None = None
    courtesy: Outbound | None = None
    blocked: bool | None = None
    error: str = ""
    move: Move | None = None
    speaker: str = ""
    rich: Rich | None = None


class Receipt(Struct, frozen=True):
    """What became of an accepted or said thing, once committed. `rev` is the row's visible one."""

    row: int
    conversation: int
    seq: int | None
    rev: int
    duplicate: bool = False


class Delivery(Struct, frozen=True):
    """An outbound row on its way outside, as a protocol's `deliver` gets it.

    `parts` are the external ids of the parts that are known to be out; `target` is the external id of the message
    that `ref` names, for edits. `part_sent(id)` commits one more part and must be awaited before the next call.
    `next_call()` is asked before every call but the first, and raises where that one must wait for its time: the row
    then comes again, with its parts.
    """

    row: int
    bot: str
    method: str
    params: dict[str, Any]
    text: str
    address: dict[str, Any]
    parts: list[int]
    target: int | None
    part_sent: Callable[[int], Awaitable[None]]
    next_call: Callable[[], None] = lambda: None


class Sent(Struct, frozen=True):
    """The outside has confirmed. `id` is the (last) message's external id, `result` what the method gave back."""

    id: int | None = None
    result: Any = None
