"""The straight way outside: a row that is marked, and that nothing keeps, is called where its commit is told, and gets
its end where its answer is read. No task of its own, no turn of the loop in between: they were most of a send's cost.

All else takes patience and is for the lane's task in outbox.py: what is not so plain, and whatever goes wrong here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gateway.backlog import Lane
from gateway.flood import Chat
from gateway.models import Kind
from gateway.transcript import Mark, OutRow
from gateway.types import Sent

if TYPE_CHECKING:
    from gateway.engine import Engine
    from gateway.outbox import Outbox


class Call(Struct, eq=False):
    """Of the first row of a lane. `name`: the chat's. `over`: for whoever waits for it."""

    lane: Lane
    row: OutRow
    name: str
    chat: Chat
    over: "asyncio.Future[None] | None" = None


async def _known(sent: Sent) -> Sent:
    return sent


class Straight:
    """`lane in straight`: a call of its first row is under way here, or that row's end is being written."""

    def __init__(self, engine: "Engine", outbox: "Outbox") -> None:
        self._engine = engine
        self._outbox = outbox
        self._calls: dict[Lane, Call] = {}

    def __contains__(self, lane: Lane) -> bool:
        return lane in self._calls

    def takes(self, lane: Lane) -> bool:
        """Makes the call of its first row, and goes on with the lane after it. False: it takes patience."""
        outbox = self._outbox
        row = outbox.rows.get(lane.rows[0]) if lane.rows else None
        if row is None or not row.marked or row.due_in > 0 or row.announcement or row.kind == Kind.EDIT:
            return False
        if not outbox.calls or lane.leaving or self._engine.may_be_dead:
            return False
        way, counts = outbox.way(row.protocol, row.bot), row.kind != Kind.CALL
        name = way.server.chat(row.method, row.params, row.address)
        chat = way.clocks.lets(name, counts=counts)
        if chat is None:
            return False
        call = Call(lane, row, name, chat)
        if not way.server.begin(outbox.delivery(row, name), partial(self._told, call)):
            return False
        way.clocks.take(chat, counts=counts)
        row.marked = False
        self._calls[lane] = call
        return True

    def _told(self, call: Call, told: Sent | Callable[[], Awaitable[Sent]]) -> None:
        if call.lane not in self._calls:
            return  # The process ends, and waits no longer.
        if not isinstance(told, Sent):
            self._give(call, partial(self._outbox.called, call.row, call.name, told), call.chat)
            return
        call.chat.free()
        try:
            mark = self._outbox.succeeded(call.row, told)
            marking = self._outbox.submit_end(call.row, mark, call.name)
        except Exception:  # The writer takes nothing more, or whatever it is: no other lane is to feel it.
            self._give(call, partial(self._outbox.called, call.row, call.name, partial(_known, told)))
        else:
            call.lane.ending = True
            marking.add_done_callback(partial(self._ended, call, mark))

    def _ended(self, call: Call, mark: Mark, marking: "asyncio.Future[Any]") -> None:
        if call.lane not in self._calls:
            return
        call.lane.ending = False
        error = marking.exception()
        if error is not None and not isinstance(error, KeyError):
            self._give(call, partial(self._outbox.commit, mark, attempt=marking))
            return
        # Its end is written, or it was deleted with its conversation.
        self._forget(call)
        self._outbox.over(call.lane)

    def _give(self, call: Call, rest: Callable[[], Awaitable[float | None]], chat: Chat | None = None) -> None:
        """To whoever has the patience, with what is left to be done for its row. `chat`: it is busy until then."""
        self._outbox.take_over(call.lane, call.row, rest, chat)
        self._forget(call)

    def _forget(self, call: Call) -> None:
        del self._calls[call.lane]
        if call.over is not None:
            call.over.set_result(None)

    def until_over(self, lanes: Iterable[Lane]) -> "set[asyncio.Future[None]]":
        """Of those lanes that are here: each is done when its call is over, or has been given away."""
        return {self._until_over(call) for lane in lanes if (call := self._calls.get(lane)) is not None}

    def _until_over(self, call: Call) -> "asyncio.Future[None]":
        if call.over is None or call.over.done():
            call.over = asyncio.get_running_loop().create_future()
        return call.over

    def give_up(self) -> list[Lane]:
        """What becomes of the calls under way is of no interest any more. Gives their lanes."""
        lanes = list(self._calls)
        self._calls.clear()
        return lanes
