"""The chat dialect of ASGI: under which name an event is fed, and what an event that a bot sends asks for."""

from functools import lru_cache
from typing import Any

from msgspec import Struct

from gateway.errors import Unsendable
from gateway.handlers import Route
from gateway.models import Kind
from gateway.types import Event, Outbound

NEUTRAL = {
    "message": "chat.received_message",
    "callback_query": "chat.button",
    "form": "chat.form",
    "rating": "chat.rating",
    "result": "chat.result",
    "resume": "chat.resume",
    "disconnect": "chat.disconnect",
}
NEUTRAL_KEYS = (
    "text", "message_id", "date", "data", "redelivered", "ref", "ok", "result", "error", "messages", "code",
    "sender", "files", "values", "score",
)  # fmt: skip
LINGUA_FRANCA = "telegram"


@lru_cache(maxsize=2000)
def feeding_name(protocol: str, method: str, route: Route) -> str | None:
    """The first name that the application has a handler for; None where it has none. A message asks several times."""
    return next((name for name in _names(protocol, method) if route.handles(name)), None)


def _names(protocol: str, method: str) -> list[str]:
    names = [f"{protocol}.{method}"]
    if method in NEUTRAL:
        names.append(NEUTRAL[method])
    if method == "message":
        names.append(f"{LINGUA_FRANCA}.message")
    return names


def handled_methods(protocol: str, route: Route) -> set[str] | None:
    """The update kinds that the application handles, in its protocol's names; None: it takes everything."""
    if route.consumer is None:
        return None
    methods = route.methods(protocol)
    return methods | {method for method, neutral in NEUTRAL.items() if route.handles(neutral)}


def make_event(name: str, keys: dict[str, Any], *, redelivered: bool) -> Event:
    """The ASGI event of that name; a neutral one has none of a protocol's own keys."""
    event = {**keys, "type": name, "redelivered": redelivered}
    if name.startswith("chat."):
        return {key: event[key] for key in ("type", *NEUTRAL_KEYS) if key in event}
    return event


class Close(Struct, frozen=True):
    """The bot ends the scope."""


class Call(Struct, frozen=True):
    """A method of the Bot API, for the conversation's protocol to compose."""

    method: str
    params: dict[str, Any]


NEUTRAL_CALLS = {"send_message": "send_message", "edit_message": "edit_message_text"}


def read_sent(protocol: str, event: Event) -> Close | Call | Outbound:
    """What an event that an application sends asks for. Raises Unsendable with the mend."""
    kind = event.get("type") if isinstance(event, dict) else None
    if not isinstance(kind, str) or "." not in kind:
        raise Unsendable("An event is a dict with a 'type' such as 'telegram.message'.")
    prefix, _, verb = str(kind).partition(".")
    params = dict(event)
    del params["type"]
    if prefix not in (protocol, LINGUA_FRANCA, "chat"):
        raise Unsendable(
            f"{event['type']!r} cannot be sent in a {protocol} scope: its type begins with "
            f"'{protocol}.', '{LINGUA_FRANCA}.' or 'chat.'."
        )
    if verb == "close":
        return Close()
    if prefix != "chat":
        return Call("send_message" if verb == "message" else verb, params)
    if verb == "typing":
        return Call("send_chat_action", {"action": "typing", **params})
    if verb == "ask_human":
        return _ask_human(params)
    if verb in NEUTRAL_CALLS:
        return Call(NEUTRAL_CALLS[verb], params)
    raise Unsendable(
        f"{event['type']!r} is no event of the chat dialect: send chat.send_message, chat.edit_message, chat.typing, "
        "chat.ask_human or chat.close."
    )


def _ask_human(params: dict[str, Any]) -> Outbound:
    text = params.get("text", "")
    if not isinstance(text, str):
        raise Unsendable("chat.ask_human: 'text' is what the operators read, a string.")
    return Outbound(kind=Kind.NOTE, method="ask_human", text=text)
