"""What a bot says in the words of the Bot API → what the web chat can show."""

import json
from collections.abc import Mapping
from typing import Any

from gateway import nodes
from gateway.errors import Unsendable
from gateway.fields import clean
from gateway.models import Kind
from gateway.plain import plain
from gateway.types import Buttons, Outbound
from gateway.web import sent_files
from gateway.web.frames import encode

DATA_BYTES = 64
REF_CHARACTERS = 255
# A frame has at most 64 KiB; the rest of it is names and numbers.
WORDS_BYTES = 60_000
# However its characters are escaped, a text of fewer fits.
SHORT_CHARACTERS = WORDS_BYTES // 10
OWN = ("ref", "at_most_once")


def compose(method: str, params: Mapping[str, Any]) -> Outbound:
    """Raises Unsendable for mistakes that the bot must see at once."""
    params = {key: plain(value, f"{method}: {key}", "a URL instead") for key, value in params.items()}
    kept = {key: value for key, value in params.items() if key not in OWN}
    if method == "send_message":
        return _words(Kind.MESSAGE, method, params, kept, files=sent_files.named(params.get("files")))
    if (media := sent_files.by_url(method, params)) is not None:
        return _words(Kind.MESSAGE, method, {**params, "text": params.get("caption") or ""}, kept, files=media)
    if method == "edit_message_text":
        missing = "" if params.get("ref") else "on the web a message is edited by the ref that it was sent with"
        return _words(Kind.EDIT, method, params, kept, missing)
    # A press does not spin on the web: there is nothing to answer, and nothing wrong with answering.
    cannot = "" if method in ("answer_callback_query", "send_chat_action") else f"the web chat cannot do {method}"
    return Outbound(kind=Kind.CALL, method=method, params=kept, ref=_ref(params), error=cannot)


def _words(
    kind: str,
    method: str,
    params: Mapping[str, Any],
    kept: dict[str, Any],
    error: str = "",
    files: list[dict[str, Any]] | None = None,
) -> Outbound:
    text, buttons = _text(method, params, bool(files)), _buttons(params)
    found = nodes.of_params({**params, "text": text}, "text")
    rich = {**({"nodes": found} if found else {}), **({"files": files} if files else {})}
    text = nodes.plain(found) if found else text
    return Outbound(
        kind=kind,
        method=method,
        params=kept,
        text=text,
        buttons=buttons,
        ref=_ref(params),
        at_most_once=bool(params.get("at_most_once")),
        error=error or _unshowable(text, buttons, rich),
        rich=rich or None,
    )


def _text(method: str, params: Mapping[str, Any], has_files: bool) -> str:
    text = params.get("text", "" if has_files else None)
    if not isinstance(text, str):
        raise Unsendable(f"{method} needs a 'text', a string.")
    return clean(text)


def _unshowable(text: str, buttons: Buttons | None, rich: dict[str, Any]) -> str:
    if not text.strip() and not rich.get("files"):
        return "the text is empty"
    if len(text) < SHORT_CHARACTERS and not buttons and not rich:
        return ""
    size = len(encode({"text": text, "buttons": buttons, **rich}).encode())
    return f"the text is too long for one frame: {size} bytes of at most {WORDS_BYTES}" if size > WORDS_BYTES else ""


def _ref(params: Mapping[str, Any]) -> str:
    ref = params.get("ref")
    if ref is None:
        return ""
    if not isinstance(ref, str | int) or len(str(ref)) > REF_CHARACTERS:
        raise Unsendable(f"'ref' is the bot's own name for a message, a text of at most {REF_CHARACTERS} characters.")
    return str(ref)


# Buttons


def _buttons(params: Mapping[str, Any]) -> Buttons | None:
    found = _neutral(params["buttons"]) if params.get("buttons") else _from_keyboard(params.get("reply_markup"))
    return [row for row in found if row] or None


def _neutral(rows: Any) -> Buttons:
    if not _is_rows(rows):
        raise Unsendable("'buttons' is a list of rows, each a list of {'text': …, 'data': …}.")
    return [[_button(button.get("text"), button.get("data")) for button in row] for row in rows]


def _from_keyboard(markup: Any) -> Buttons:
    """The callback buttons of an inline keyboard; what else a keyboard may hold does nothing in a web chat."""
    if isinstance(markup, str):
        try:
            markup = json.loads(markup)
        except ValueError:
            raise Unsendable("'reply_markup' is a text that is no JSON.") from None
    rows = markup.get("inline_keyboard") if isinstance(markup, Mapping) else None
    if rows is None:
        return []
    if not _is_rows(rows):
        raise Unsendable("'inline_keyboard' is a list of rows, each a list of buttons.")
    return [[_button(b.get("text"), b["callback_data"]) for b in row if "callback_data" in b] for row in rows]


def _is_rows(rows: Any) -> bool:
    return isinstance(rows, list | tuple) and all(
        isinstance(row, list | tuple) and all(isinstance(button, Mapping) for button in row) for row in rows
    )


def _button(text: Any, data: Any) -> dict[str, str]:
    if not isinstance(text, str) or not text.strip() or not isinstance(data, str):
        raise Unsendable("A button has a 'text' and a 'data', both strings and neither empty.")
    text, data = clean(text), clean(data)
    if not 0 < len(data.encode()) <= DATA_BYTES:
        raise Unsendable(f"The data of a button has 1 to {DATA_BYTES} bytes; {text!r} has {len(data.encode())}.")
    return {"text": text, "data": data}
