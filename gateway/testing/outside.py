"""The protocols without their wires: everything is composed as in earnest and delivered to a list."""

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import DeliveryError
from gateway.protocols import ProtocolServer, Tell, find_protocols
from gateway.types import Delivery, Limits, Sent

if TYPE_CHECKING:
    from gateway.engine import Engine


class Outside(ProtocolServer):
    """`sent`: what was delivered. `faults` are raised by the next deliveries, in order; None lets one through.

    `delay`: the seconds that a delivery takes.
    """

    def __init__(self, engine: "Engine") -> None:
        ProtocolServer.__init__(self, engine)  # Not the wire's own.
        self.sent: list[Delivery] = []
        self.faults: list[DeliveryError | None] = []
        self.delay = 0.0

    async def start(self) -> None:
        """There is no wire."""

    async def stop_accepting(self) -> None:
        """Nobody but the test brings anything in."""

    async def stop(self) -> None:
        """Nothing is held."""

    async def deliver(self, delivery: Delivery) -> Sent:
        await asyncio.sleep(self.delay)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.sent.append(delivery)
        return Sent(len(self.sent), {"message_id": len(self.sent)})

    def begin(self, delivery: Delivery, tell: Tell) -> bool:
        def told(call: "asyncio.Task[Sent]") -> None:
            if not call.cancelled():
                tell(call.result() if call.exception() is None else lambda: call)

        asyncio.ensure_future(self.deliver(delivery)).add_done_callback(told)
        return True

    def limits(self, chat: str) -> Limits:
        """A list takes as much as it is given, and a test has no time."""
        return Limits()

    def health(self) -> dict[str, str]:
        return {}

    def contact_ages(self) -> dict[str, float | None]:
        return {}


def without_wire(real: type[ProtocolServer]) -> type[Outside]:
    """That protocol, with its own composing, courtesy and lanes."""
    return type(f"{real.__name__}WithoutWire", (Outside, real), {})


def protocols() -> list[str]:
    """The scope types of the gateway's protocols, to run one test on each of them."""
    return [real.scope_type for real in find_protocols()]
