"""A group becomes a supergroup: what its people and the bot were saying goes on."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import Moved, Refused
from gateway.models import Conversation, Message, Status
from gateway.telegram import people
from gateway.telegram.delivery import deliver
from gateway.telegram.updates import parse
from gateway.transcript import Accept, Memory, MoveChat, Say
from gateway.types import Delivery, Outbound
from gateway.writer import run_group
from tests.telegram_stand_in import Failure, bot_api, client_of

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = -77, -1000077
numbers: Iterator[int] = iter(range(1, 1000))


def said_in(chat: int, user: int, **fields: Any) -> Accept:
    kind = "group" if chat == OLD else "supergroup"
    message = {
        "message_id": 1, "date": 0, "chat": {"id": chat, "type": kind, "title": "Us"},
        "from": {"id": user, "is_bot": False, "first_name": "Ada"}, **fields,
    }  # fmt: skip
    return Accept(parse("bot", {"update_id": next(numbers), "message": message}), handled=False, farewell=False)


def accept(*accepts: Accept) -> list[int]:
    return [make().conversation for make in run_group(list(accepts), Memory())[1]]


def queue(conversation: int, text: str) -> Message:
    params = {"chat_id": OLD, "text": text}
    run_group([Say(conversation, Outbound("message", "send_message", params, text))], Memory())
    return Message.objects.latest("pk")


TELLS = {"to": (OLD, {"migrate_to_chat_id": NEW}), "from": (NEW, {"migrate_from_chat_id": OLD})}


@pytest.mark.parametrize("first", TELLS)
@pytest.mark.parametrize("together", [True, False])
def test_words_from_the_new_id_arrive_in_the_same_conversations(first: str, together: bool) -> None:
    ada, bob, elsewhere = accept(said_in(OLD, 1, text="a"), said_in(OLD, 2, text="b"), said_in(-770, 1, text="c"))
    row = queue(bob, "queued")
    order = [first, *(name for name in TELLS if name != first)]
    moves = [said_in(TELLS[name][0], 1, **TELLS[name][1]) for name in order]
    if together:
        accept(*moves)
    else:
        for move in moves:
            accept(move)
    assert accept(said_in(NEW, 1, text="again"), said_in(NEW, 2, text="again")) == [ada, bob]
    assert Conversation.objects.count() == 3
    moved = Conversation.objects.get(pk=bob)
    assert (moved.address, moved.chat["id"], moved.chat["type"]) == ({"chat_id": NEW}, NEW, "supergroup")
    row.refresh_from_db()
    assert (row.payload, row.status) == ({"chat_id": NEW, "text": "queued"}, Status.QUEUED)
    assert Conversation.objects.get(pk=elsewhere).address == {"chat_id": -770}


def test_where_the_new_id_has_one_already_both_stay() -> None:
    old, new = accept(said_in(OLD, 1, text="a"), said_in(NEW, 1, text="b"))
    row = queue(old, "queued")
    run_group([MoveChat("telegram", "bot", people.move(OLD, NEW))], Memory())
    assert accept(said_in(NEW, 1, text="c")) == [new]
    row.refresh_from_db()
    assert (row.conversation_id, row.payload["chat_id"]) == (old, NEW)
    assert Conversation.objects.get(pk=old).key == f"chat:{OLD}/user:1"


def test_the_operation_twice_moves_once() -> None:
    (ada,) = accept(said_in(OLD, 1, text="a"))
    move = MoveChat("telegram", "bot", people.move(OLD, NEW))
    run_group([move, move], Memory())
    run_group([move], Memory())
    assert Conversation.objects.get(pk=ada).key == f"chat:{NEW}/user:1"


def test_what_cannot_be_a_chat_moves_nothing() -> None:
    accept(said_in(OLD, 1, text="a"), said_in(OLD, 1, migrate_to_chat_id="somewhere"))
    assert Conversation.objects.get(key=f"chat:{OLD}/user:1").address == {"chat_id": OLD}
    assert Message.objects.get(status=Status.DEAD).error


# What a send is told


def delivery(chat: int) -> Delivery:
    async def part_sent(id: int) -> None:
        raise AssertionError("it has one part")

    params = {"chat_id": chat, "text": "x"}
    return Delivery(1, "bot", "send_message", params, "x", {"chat_id": OLD}, [], None, part_sent)


MIGRATED = Failure(400, "Bad Request: group chat was upgraded to a supergroup chat", {"migrate_to_chat_id": NEW})


async def test_a_send_to_its_own_chat_says_where_that_has_gone() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        api.script = {"sendMessage": [MIGRATED]}
        with pytest.raises(Moved) as raised:
            await deliver(client, delivery(OLD))
    assert raised.value.to == people.move(OLD, NEW)


async def test_a_send_to_another_chat_follows_it_there() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        api.script = {"sendMessage": [MIGRATED, {"message_id": 5}]}
        assert (await deliver(client, delivery(-5))).id == 5
        assert [params["chat_id"] for params in api.of("sendMessage")] == [-5, NEW]


@pytest.mark.parametrize(("chat", "gone"), [(OLD, True), (-5, False)])
async def test_only_its_own_chat_can_be_gone(chat: int, gone: bool) -> None:
    failure = Failure(403, "Forbidden: bot was kicked from the group chat")
    async with bot_api() as api, client_of(api.url) as client:
        api.script = {"sendMessage": [failure]}
        with pytest.raises(Refused) as raised:
            await deliver(client, delivery(chat))
    assert (raised.value.gone, raised.value.blocked) == (gone, False)
