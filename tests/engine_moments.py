"""What tests of the engine's rare moments share: one conversation, watched and brought to a certain point."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import node, writer
from gateway.engine import Engine
from gateway.models import Conversation, Message, Node, Status
from gateway.transcript import Mark
from tests.communicator import Chat, Outside, eventually


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is cleared the database does not answer the writer."""
    gate, run_group = threading.Event(), writer.run_group
    gate.set()

    def run_once_open(*arguments: Any) -> Any:
        assert gate.wait(20)
        return run_group(*arguments)

    monkeypatch.setattr(writer, "run_group", run_once_open)
    yield gate
    gate.set()


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written together, a group a line."""
    groups: list[str] = []
    run_group = writer.run_group

    def noting(operations: Any, *more: Any) -> Any:
        groups.append(" ".join(_name(operation) for operation in operations))
        return run_group(operations, *more)

    monkeypatch.setattr(writer, "run_group", noting)
    return groups


def _name(operation: Any) -> str:
    return str(operation.status) if isinstance(operation, Mark) else type(operation).__name__


def outside(engine: Engine) -> Outside:
    server = engine.protocols["telegram"]
    assert isinstance(server, Outside)
    return server


async def stop(engine: Engine) -> None:
    await engine.stop()
    engine._node = None


async def leave_dead_lease(pk: int | None = None) -> None:
    """What a process that was killed on this machine leaves behind."""
    await Node.objects.acreate(pk=pk, slot=node.SLOT, place=f"{node.machine()}, process {2**22 + 1}")


async def conversation() -> Conversation:
    """The only one, as it is now."""
    return await Conversation.objects.aget()


async def until_closed() -> None:
    async def closed() -> bool:
        return not (await conversation()).open

    await eventually(closed, "the end of the scope")


async def until_in_hand(chat: Chat) -> None:
    async def in_hand() -> bool:
        return bool(await chat.rows(status=Status.IN_HAND))

    await eventually(in_hand, "a row in hand")


async def until_all_sent(chat: Chat) -> list[Message]:
    """All outbound rows, once each has its end state."""

    async def done() -> bool:
        return not await chat.rows(direction="out", status__in=(Status.QUEUED, Status.SENDING))

    await eventually(done, "the end of every send")
    return await chat.rows(direction="out")
