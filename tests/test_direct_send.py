"""What a sync handler sends goes its way without a task of the loop for each word, and nothing else changes."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import AsyncToSync
from channels.consumer import SyncConsumer

from gateway.errors import Unsendable
from gateway.types import Application, Receive, Scope, Send
from tests.communicator import Chat
from tests.engines import StartEngine, start

__all__ = ["start"]
pytestmark = pytest.mark.django_db(transaction=True)


class Counting(SyncConsumer):
    """Counts to what it is told, and says what it was that could not be sent."""

    def telegram_message(self, event: Any) -> None:
        for number in range(int(event["text"])):
            self.send({"type": "telegram.message", "text": str(number)})
        try:
            self.send({"type": "telegram.message", "text": None})
        except Unsendable as error:
            self.send({"type": "telegram.message", "text": f"no: {error}"})


@pytest.fixture
def bridged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What went over asgiref's bridge."""
    sent: list[Any] = []
    call: Callable[..., Any] = AsyncToSync.__call__

    def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        sent.append(arguments)
        return call(self, *arguments, **named)

    monkeypatch.setattr(AsyncToSync, "__call__", noting)
    return sent


async def test_a_few_words_need_no_bridge(start: StartEngine, bridged: list[Any]) -> None:
    chat = Chat(await start(Counting.as_asgi()), 1)
    await chat.says("10")
    assert await chat.heard(11) == [*map(str, range(10)), "no: a message needs a text"]
    assert all(row.ordinal is not None for row in await chat.rows(direction="out"))
    assert not bridged


async def test_many_words_wait_for_the_loop_now_and_then(start: StartEngine, bridged: list[Any]) -> None:
    chat = Chat(await start(Counting.as_asgi()), 1)
    await chat.says("100")
    assert await chat.heard(101) == [*map(str, range(100)), "no: a message needs a text"]
    assert 4 <= len(bridged) <= 8


def shouting(application: Application) -> Application:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def loudly(event: Any) -> None:
            await send({**event, "text": str(event["text"]).upper()})

        await application(scope, receive, loudly)

    middleware.inner = application  # type: ignore[attr-defined]
    return middleware


async def test_a_middleware_hears_every_word(start: StartEngine) -> None:
    chat = Chat(await start(shouting(Counting.as_asgi())), 1)
    await chat.says("0")
    assert await chat.heard(1) == ["NONE"]


class Own(Counting):
    base_send = None  # Whoever has something of their own keeps it.

    def telegram_message(self, event: Any) -> None:
        self.send({"type": "telegram.message", "text": type(self.base_send).__name__})


async def test_a_consumer_with_a_base_send_of_its_own_keeps_it(start: StartEngine) -> None:
    chat = Chat(await start(Own.as_asgi()), 1)
    await chat.says("a")
    assert await chat.heard(1) == ["AsyncToSync"]
