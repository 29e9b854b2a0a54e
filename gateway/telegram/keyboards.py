"""Neutral buttons ↔ Telegram's inline keyboards."""

from typing import Any

from gateway.errors import Unsendable
from gateway.types import Buttons

LONGEST_DATA = 64
SHAPE = "buttons are rows of buttons: [[{'text': 'Yes', 'data': 'yes'}, …], …]."


def inline_keyboard(buttons: Any) -> dict[str, Any]:
    """Of plain values. Raises Unsendable."""
    if not isinstance(buttons, list) or not all(isinstance(row, list) for row in buttons):
        raise Unsendable(SHAPE)
    return {"inline_keyboard": [[_inline(button) for button in row] for row in buttons if row]}


def _inline(button: Any) -> dict[str, str]:
    if not isinstance(button, dict) or set(button) != {"text", "data"}:
        raise Unsendable(SHAPE)
    text, data = button["text"], button["data"]
    if not isinstance(text, str) or not isinstance(data, str) or not text.strip():
        raise Unsendable("A button's text and data are texts, and its text is not empty.")
    size = len(data.encode("utf-8", "replace"))
    if not 1 <= size <= LONGEST_DATA:
        raise Unsendable(f"The data of the button {text!r} has {size} bytes: Telegram takes 1 to {LONGEST_DATA}.")
    return {"text": text, "callback_data": data}


def neutral_buttons(markup: Any) -> Buttons | None:
    """What people can press of a reply_markup, as neutral buttons; None where it is no inline keyboard."""
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    if not isinstance(rows, list):
        return None
    neutral = [[_neutral(button) for button in row if _is_callback(button)] for row in rows if isinstance(row, list)]
    return [row for row in neutral if row]


def _is_callback(button: Any) -> bool:
    return isinstance(button, dict) and isinstance(button.get("callback_data"), str)


def _neutral(button: dict[str, Any]) -> dict[str, str]:
    return {"text": str(button.get("text", "")), "data": button["callback_data"]}
