"""What a protocol is to the engine, and where the engine finds the protocols: every `gateway/<folder>/server.py`."""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import gateway
from gateway.errors import Refused
from gateway.types import Delivery, Limits, Outbound, Sent

if TYPE_CHECKING:
    from gateway.engine import Engine

Tell = Callable[[Sent | Callable[[], Awaitable[Sent]]], None]
"""Gets what has become of a delivery; where that takes patience, or is no success, a function to be awaited for it,
which raises as `deliver` does."""


class ProtocolServer(ABC):
    """One chat protocol. A folder of `gateway` with a `server.py` that has a `Server` of this kind is found by itself.

    `scope_type` is the ASGI scope type that the application map routes, and the prefix of the protocol's own events.
    `immediate`: words are delivered by their commit (readers come and fetch them); `deliver` is never called.
    """

    scope_type: ClassVar[str]
    immediate: ClassVar[bool] = False

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine

    @abstractmethod
    async def start(self) -> None:
        """Begins to take updates in. Called once the engine can store; must not wait for the outside."""

    async def take_in(self) -> None:  # noqa: B027  # most have nothing to ask for
        """What this process leads (`engine.members.leads`) has changed: it takes in for those bots what one process
        has to ask for, and for no others. Called after `start` as well."""

    def intakes(self) -> list[str]:
        """The bots for which this process asks the outside, or has told it where to bring what comes."""
        return []

    @abstractmethod
    async def stop_accepting(self) -> None:
        """Takes nothing more in; returns once nothing is half accepted. Deliveries go on."""

    @abstractmethod
    async def stop(self) -> None:
        """Lets go of everything. Called after the last delivery."""

    @classmethod
    @abstractmethod
    def compose(
        cls,
        method: str,
        params: Mapping[str, Any],
        *,
        address: Mapping[str, Any],
        event: Mapping[str, Any] | None,
    ) -> Outbound:
        """Turns a Bot API method, or "send_message" and "edit_message_text" with neutral `buttons`, into an Outbound.

        `params` is the event without its `type`; `ref` and `at_most_once` are still in it. `address` is the
        conversation's, `event` the one in hand, if any. Called in whatever thread the bot runs in; must be quick
        and touch nothing. Raises `Unsendable` where the bot made a mistake that it must see at once (bytes, no text,
        button data over 64 bytes); what this protocol merely cannot do comes back with `error` set.
        """

    def courtesy(self, method: str, event: Mapping[str, Any]) -> Outbound | None:
        """What the gateway says itself to an event that no application is fed (a button press must not spin)."""
        return None

    def lane(self, address: Mapping[str, Any]) -> str:
        """Deliveries of the same lane go out strictly one after the other; lanes never wait for each other."""
        return str(sorted(address.items()))

    def chat(self, method: str, params: Mapping[str, Any], address: Mapping[str, Any]) -> str:
        """Whom a call goes to, as the outside counts it: there is one at a time. "": nobody in particular."""
        return self.lane(address)

    def limits(self, chat: str) -> Limits:
        """How fast the outside lets a chat be called; of "", a bot as a whole."""
        return Limits()

    async def deliver(self, delivery: Delivery) -> Sent:
        """Does it outside. Raises `Refused`, `Moved`, `Later`, `Flooded` or `Unknown` (see errors.py), nothing else."""
        raise NotImplementedError

    def begin(self, delivery: Delivery, tell: Tell) -> bool:
        """The same, for one that takes a single call which can be made this very moment: it is made when this returns.

        `tell` is called once, and never from within. False: nothing was done, and `deliver` it is.
        """
        return False

    async def fetch_file(self, bot: str, file_id: str) -> AsyncIterator[bytes]:
        """The bytes of a file that a message's `rich` names as `remote`. Raises DeliveryError, with no secret in it."""
        raise Refused("This protocol keeps no files.")
        yield b""

    def contact_ages(self) -> dict[str, float | None]:
        """Seconds since each bot last had word from outside; None: never yet. Empty where nobody is asked."""
        return {}

    def health(self) -> dict[str, str]:
        """What `/readyz` should know: part → what is wrong with it. Empty when all is well."""
        return {}


def find_protocols() -> list[type[ProtocolServer]]:
    folders = sorted(m.name for m in pkgutil.iter_modules(gateway.__path__, "gateway.") if m.ispkg)
    servers = [f"{name}.server" for name in folders if has_server(name)]
    return [import_module(name).Server for name in servers]


def has_server(package: str) -> bool:
    return any(m.name == "server" for m in pkgutil.iter_modules(import_module(package).__path__))
