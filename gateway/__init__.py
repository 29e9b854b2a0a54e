"""The gateway. Bots import from here and from `gateway.testing`; nothing else is promised to stay as it is."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.bot import (
        AsyncBotConsumer,
        BotConsumer,
        Button,
        Disconnect,
        Form,
        Message,
        Rating,
        Result,
        Resume,
        Sender,
    )
    from gateway.errors import Unsendable

__version__ = "0.1.0"

__all__ = [
    "AsyncBotConsumer",
    "BotConsumer",
    "Button",
    "Disconnect",
    "Form",
    "Message",
    "Rating",
    "Result",
    "Resume",
    "Sender",
    "Unsendable",
]


def __getattr__(name: str) -> Any:
    # On demand: Django imports this package before it is set up, and most of what imports it wants no bot.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("gateway.errors" if name == "Unsendable" else "gateway.bot"), name)
