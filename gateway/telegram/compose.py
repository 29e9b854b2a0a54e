"""What a bot sends → the call of the Bot API that does it."""

from collections.abc import Mapping
from typing import Any

from gateway import nodes
from gateway.errors import Unsendable
from gateway.plain import plain
from gateway.telegram import attachments, keyboards, methods
from gateway.telegram.display import seen_text
from gateway.types import Outbound

LONGEST_REF = 255
FILES = "a URL that Telegram can fetch, or the file_id of a file that Telegram has"
OWN = ("ref", "at_most_once", "buttons", "files")
TEXTS = ("send_message", "edit_message_text")


def compose(
    method: str, params: Mapping[str, Any], *, address: Mapping[str, Any], event: Mapping[str, Any] | None
) -> Outbound:
    """As ProtocolServer.compose. Raises Unsendable."""
    text = params.get("text")
    if method == "send_message" and len(params) == 1 and type(text) is str and "chat_id" in address and text.strip():
        return Outbound("message", method, {"text": text, **address}, text)  # What would come out below, at once.
    if not methods.NAME.fullmatch(method) or len(method) > methods.LONGEST_NAME:
        raise Unsendable(f"{method!r} is no method of the Bot API in snake case, such as send_photo.")
    if method == "send_message" and params.get("files"):
        method, params = attachments.as_media(params)
    given = {name: plain(value, f"{method}: {name}", FILES) for name, value in params.items()}
    sent = {name: value for name, value in given.items() if name not in OWN}
    error = _complete(method, sent, given, address, event or {})
    sent = {name: value for name, value in sent.items() if value is not None}
    kind = methods.row_kind(method)
    rich = None if kind == "call" else nodes.of_params(sent, "text" if "text" in sent else "caption")
    return Outbound(
        kind=kind,
        method=method,
        params=sent,
        text="" if kind == "call" else (nodes.plain(rich).strip() if rich else "") or seen_text(method, sent),
        rich={"nodes": rich} if rich else None,
        buttons=keyboards.neutral_buttons(sent.get("reply_markup")),
        ref=_ref(given),
        at_most_once=_at_most_once(given),
        error=error,
    )


def _complete(
    method: str,
    sent: dict[str, Any],
    given: Mapping[str, Any],
    address: Mapping[str, Any],
    event: Mapping[str, Any],
) -> str:
    """Puts in what the conversation and the event know. Returns why it cannot be done; "" where it can."""
    if method in methods.GATEWAYS_OWN:
        return f"{method} is the gateway's own: it takes the updates in and hands them to the bot."
    _put_buttons(sent, given)
    _put_answered(method, sent, event)
    _put_address(method, sent, address)
    _check_text(method, sent)
    return _missing(method, sent, given)


def _put_buttons(sent: dict[str, Any], given: Mapping[str, Any]) -> None:
    if given.get("buttons") is None:
        return
    if sent.get("reply_markup") is not None:
        raise Unsendable("Either buttons or reply_markup, not both.")
    sent["reply_markup"] = keyboards.inline_keyboard(given["buttons"])


def _put_answered(method: str, sent: dict[str, Any], event: Mapping[str, Any]) -> None:
    """An answer without an id answers the event in hand."""
    if method not in methods.ANSWERED:
        return
    param, kind, name = methods.ANSWERED[method]
    if sent.get(param) is not None:
        return
    update = event.get("update")
    content = update.get(kind) if isinstance(update, Mapping) else None
    if not isinstance(content, Mapping) or not isinstance(content.get(name), str):
        raise Unsendable(f"{method}: no {kind} is in hand, so give {param}.")
    sent[param] = content[name]


def _put_address(method: str, sent: dict[str, Any], address: Mapping[str, Any]) -> None:
    """Chat, topic and business connection, unless given; those of this chat do not go with another one."""
    if not methods.belongs_to_chat(method) or "inline_message_id" in sent:
        return
    if method in methods.USER_INSTEAD and "user_id" in sent:
        return
    if "chat_id" in sent and sent["chat_id"] != address.get("chat_id"):
        return
    for name, value in address.items():
        if name in ("chat_id", "business_connection_id") or methods.is_sending(method):
            sent.setdefault(name, value)


def _check_text(method: str, sent: Mapping[str, Any]) -> None:
    if method not in TEXTS or sent.get("rich_message") is not None:
        return
    if not isinstance(sent.get("text"), str):
        raise Unsendable(f"{method}: 'text' is what people read, a string.")


def _missing(method: str, sent: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    kind = methods.row_kind(method)
    inline = sent.get("inline_message_id") is not None
    if kind == "edit" and not inline and sent.get("message_id") is None and not given.get("ref"):
        return f"{method}: which message? Give the ref that it was sent with, or its message_id."
    addressed = inline or sent.get("chat_id") is not None or method in methods.USER_INSTEAD
    if kind in ("message", "edit") and not addressed:
        return f"{method}: this conversation has no chat; give chat_id."
    if isinstance(sent.get("text"), str) and not sent["text"].strip() and method in TEXTS:
        return "the text is empty"
    return ""


def _ref(given: Mapping[str, Any]) -> str:
    ref = given.get("ref") or ""
    if not isinstance(ref, str) or len(ref) > LONGEST_REF:
        raise Unsendable(f"ref is the bot's own name for a message: a string of at most {LONGEST_REF} characters.")
    return ref


def _at_most_once(given: Mapping[str, Any]) -> bool:
    value = given.get("at_most_once") or False
    if not isinstance(value, bool):
        raise Unsendable("at_most_once is True or False.")
    return value
