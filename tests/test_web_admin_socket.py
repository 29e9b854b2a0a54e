"""The operators' socket, on the real engine."""

import asyncio
import json
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User

from gateway.models import Conversation, Kind
from gateway.transcript import Say
from gateway.types import Outbound
from gateway.web import admin_socket, board, reception
from tests.communicator import until
from tests.web_sockets import Client, Web, nobody, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = {
    "type", "conversation", "protocol", "bot", "name", "state", "holder", "seq", "rev", "last", "at", "waiting_since",
    "banned", "tags",
}  # fmt: skip


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_user("ann", first_name="Ann", last_name="Lee", is_staff=True)


@pytest.fixture
def bea(transactional_db: None) -> User:
    return User.objects.create_user("bea", is_staff=True)


async def talking(web: Web, *texts: str) -> tuple[Client, str]:
    visitor = await web.visitor()
    for n, text in enumerate(texts or ["hello"]):
        await visitor.send("message", id=f"first {n}", text=text)
        await visitor.expect("message", id=f"first {n}")
    return visitor, visitor.welcome["conversation"]


async def at_console(web: Web, user: User, uuid: str | None = None) -> Client:
    operator = await web.operator(user)
    await operator.send("hello")
    if uuid is not None:
        await operator.send("watch", conversation=uuid, since=0)
        await operator.expect("message", conversation=uuid, seq=1)
    return operator


# Who may come in


@pytest.mark.parametrize("changes", [{"is_staff": False}, {"is_active": False}])
async def test_only_active_staff_come_in(
    web: Web, ann: User, changes: dict[str, bool], caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in changes.items():
        setattr(ann, name, value)
    assert not await web.client_to_admin(user=ann).open()
    assert "admin socket" in caplog.text


async def test_nobody_in_particular_does_not_come_in(web: Web) -> None:
    assert not await web.client_to_admin(user=nobody()).open()
    assert not await web.client_to_admin().open()


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://shop.example"])
async def test_only_our_own_pages_may_open_it(
    web: Web, ann: User, settings: Any, origin: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    settings.WIDGET_ORIGINS = ["https://shop.example"]
    assert not await web.client_to_admin(user=ann, origin=origin).open()
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "PUBLIC_URL" in record.getMessage()


# The list


async def test_the_recent_ones_and_then_every_change(web: Web, ann: User) -> None:
    _, first = await talking(web, "hush")
    operator = await at_console(web, ann)
    frame = await operator.expect("conversation", conversation=first, seq=1)
    assert set(frame) == KEYS
    assert (frame["protocol"], frame["bot"], frame["last"], frame["holder"]) == ("webchat", "bot", "hush", None)
    visitor, second = await talking(web, "hello")
    await operator.expect("conversation", conversation=second, last="You said: hello", seq=2)
    await visitor.send("message", id="more", text="more")
    frame = await operator.expect("conversation", conversation=second, last="You said: more", seq=4)
    assert frame["state"] == "bot"
    assert frame["at"].endswith("Z")


async def test_no_frame_of_a_conversation_is_older_than_the_one_before(web: Web, ann: User) -> None:
    visitor, uuid = await talking(web, "hush")
    operators = [await at_console(web, ann) for _ in range(3)]
    for n in range(30):
        await visitor.send("message", id=str(n), text=f"word {n}")
    for operator in operators:
        await operator.expect("conversation", conversation=uuid, last="You said: word 29")
        revs = [frame["rev"] for frame in operator.frames if frame["type"] == "conversation"]
        assert revs == sorted(revs)


async def test_many_changes_are_read_together(web: Web, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[list[int]] = []
    conversations = board.rows.conversations

    def counted(pks: list[int]) -> Any:
        reads.append(pks)
        return conversations(pks)

    monkeypatch.setattr(board.rows, "conversations", counted)
    operator = await at_console(web, ann)
    visitors = [await web.visitor() for _ in range(10)]
    for visitor in visitors:
        for n in range(10):
            await visitor.send("message", id=str(n), text=f"word {n}")
    for visitor in visitors:
        uuid = visitor.welcome["conversation"]
        await operator.expect("conversation", conversation=uuid, last="You said: word 9")
    assert len(reads) < 100
    assert any(len(pks) > 1 for pks in reads)


# Watching


async def test_a_watched_conversation_is_seen_row_by_row(web: Web, ann: User) -> None:
    visitor, uuid = await talking(web, "hello")
    operator = await at_console(web, ann)
    await operator.send("watch", conversation=uuid, since=0)
    answer = await operator.expect("message", sender="bot", status="sent")
    keys = {"type", "conversation", "row", "seq", "rev", "from", "name", "text", "buttons", "at", "status", "error"}
    assert set(answer) == keys | {"unknowns", "choices", "kind", "method"}
    asked = await operator.expect("message", sender="visitor", status="done")
    assert (asked["id"], asked["seq"], asked["text"]) == ("first 0", 1, "hello")
    await visitor.send("message", id="more", text="more")
    states = [(await operator.expect("message", id="more"))["status"]]
    while states[-1] != "done":
        states.append((await operator.expect("message", id="more"))["status"])
    assert set(states) <= {"received", "in_hand", "done"}


async def test_operators_see_what_visitors_do_not(web: Web, ann: User) -> None:
    visitor, uuid = await talking(web, "hush")
    conversation = await web.engine.read(lambda: Conversation.objects.get(uuid=uuid))
    operator = await at_console(web, ann, uuid)
    note = Outbound(kind=Kind.NOTE, method="ask_human", text="somebody asks")
    call = Outbound(kind=Kind.CALL, method="send_photo", error="the web chat cannot do send_photo")
    for outbound in (note, call):
        await web.engine.submit(Say(conversation.pk, outbound))
    seen = await operator.expect("message", status="note")
    assert (seen["seq"], seen["text"]) == (None, "somebody asks")
    failed = await operator.expect("message", status="failed")
    assert (failed["seq"], failed["text"], failed["error"]) == (None, "send_photo", call.error)
    await visitor.send("message", id="last", text="hush")
    await visitor.expect("message", id="last")
    assert [frame["seq"] for frame in visitor.messages] == [1, 2]


async def test_several_are_watched_at_once_and_each_resumes(web: Web, ann: User) -> None:
    one, first = await talking(web, "hush")
    other, second = await talking(web, "hush")
    operator = await at_console(web, ann, first)
    await operator.send("watch", conversation=second, since=0)
    await operator.expect("message", conversation=second, seq=1)
    await one.send("message", id="a", text="hush")
    await other.send("message", id="a", text="hush")
    await operator.expect("message", conversation=first, id="a", status="done")
    await operator.expect("message", conversation=second, id="a", status="done")
    rev = max(f["rev"] for f in operator.frames if f["type"] == "message" and f["conversation"] == first)
    before = len(operator.frames)
    await operator.send("watch", conversation=first, since=rev)
    await operator.send("nothing")
    await operator.expect("error", code="unknown_type")  # Now the old watch is over.
    await one.send("message", id="b", text="hush")
    await operator.expect("message", conversation=first, id="b", status="done")
    late = [f for f in operator.frames[before:] if f["type"] == "message"]
    assert {f["id"] for f in late} == {"b"}
    assert len({(f["row"], f["rev"]) for f in late}) == len(late)


# Taking over


async def test_taken_answered_and_handed_back(web: Web, ann: User, bea: User) -> None:
    visitor, uuid = await talking(web, "hush")
    operator, colleague = await at_console(web, ann, uuid), await at_console(web, bea)
    await operator.send("take", conversation=uuid)
    for each in (operator, colleague):
        await each.expect("conversation", conversation=uuid, holder="ann", state="held")
    await operator.send("say", conversation=uuid, id="s1", text="A human here", seen=1)
    ack = await operator.expect("ack", id="s1")
    said = await visitor.expect("message", sender="operator")
    assert (said["text"], said["name"], said["seq"], said["rev"]) == ("A human here", "Ann Lee", ack["seq"], ack["rev"])
    assert "id" not in said
    await operator.send("say", conversation=uuid, id="s1", text="A human here", seen=1)
    assert await operator.expect("ack", id="s1") == ack
    await operator.send("release", conversation=uuid)
    await colleague.expect("conversation", conversation=uuid, holder=None, seq=2)
    await visitor.send("message", id="2", text="hello bot")
    await visitor.expect("message", text="You said: hello bot")


async def test_what_is_taken_already_is_shown_again(web: Web, ann: User) -> None:
    _, uuid = await talking(web, "hush")
    operator = await at_console(web, ann)
    for _ in range(2):
        await operator.send("take", conversation=uuid)
        await operator.expect("conversation", conversation=uuid, holder="ann")


async def test_nobody_talks_over_anybody(web: Web, ann: User, bea: User) -> None:
    _, uuid = await talking(web, "hush")
    operator, colleague = await at_console(web, ann), await at_console(web, bea)
    await colleague.send("say", conversation=uuid, id="1", text="me first", seen=1)
    error = await colleague.expect("error")
    assert (error["code"], error["id"]) == ("not_holder", "1")
    await colleague.send("release", conversation=uuid)
    await colleague.expect("error", code="not_holder")
    await operator.send("take", conversation=uuid)
    await operator.expect("conversation", holder="ann")
    await colleague.send("take", conversation=uuid)
    assert (await colleague.expect("error", code="held"))["conversation"] == uuid
    await operator.send("say", conversation=uuid, id="1", text="mine", seen=1)
    await operator.expect("ack")
    await operator.send("release", conversation=uuid)
    await colleague.expect("conversation", holder=None, seq=2)
    await colleague.send("take", conversation=uuid)
    await colleague.expect("conversation", holder="bea")
    await colleague.send("say", conversation=uuid, id="2", text="late", seen=1)
    assert (await colleague.expect("error", code="stale"))["id"] == "2"
    await colleague.send("say", conversation=uuid, id="2", text="informed", seen=2)
    await colleague.expect("ack", id="2", seq=3)


@pytest.mark.parametrize("uuid", ["00000000-0000-4000-8000-000000000000", "nonsense", "", "\0", "9" * 5000])
@pytest.mark.parametrize("type", ["watch", "take", "release", "say"])
async def test_an_unknown_conversation_is_told(web: Web, ann: User, type: str, uuid: str) -> None:
    operator = await web.operator(ann)
    await operator.send(type, conversation=uuid, id="1", text="x", seen=0, since=0)
    assert (await operator.expect("error"))["code"] == "unknown_conversation"


async def test_a_socket_survives_whatever_is_said(web: Web, ann: User) -> None:
    _, uuid = await talking(web, "hush")
    operator = await web.operator(ann)
    say = {"type": "say", "conversation": uuid, "id": "1"}
    raws: list[tuple[str | bytes, str]] = [
        ("{", "bad_frame"),
        (b"{}", "bad_frame"),
        ("[" * 10_000, "bad_frame"),
        ('{"type":"dance"}', "unknown_type"),
        ('{"type":"watch"}', "bad_frame"),
        (json.dumps({**say, "text": "x" * 4097}), "too_long"),
        (json.dumps({**say, "text": " "}), "bad_frame"),
        (json.dumps({**say, "text": "x", "seen": 10**30}), "not_holder"),
        (json.dumps({**say, "text": "x", "seen": -(10**30)}), "not_holder"),
    ]
    for raw, code in raws:
        await operator.raw(raw)
        assert (await operator.expect("error"))["code"] == code
    await operator.raw(json.dumps({"type": "watch", "conversation": uuid, "since": -(10**30)}))
    await operator.expect("message", seq=1)


async def test_a_frame_over_64_kib_ends_the_socket(web: Web, ann: User) -> None:
    operator = await web.operator(ann)
    await operator.raw("x" * 65_537)
    assert await operator.ended() == 4009


# Still allowed


def demote(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=False)


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User) -> None:
    fresh = User.objects.get(pk=user.pk)
    fresh.set_password("another")
    fresh.save()


def delete(user: User) -> None:
    User.objects.filter(pk=user.pk).delete()


@pytest.mark.parametrize("revoke", [demote, deactivate, change_password, delete])
async def test_no_action_of_somebody_who_may_no_longer(web: Web, ann: User, revoke: Callable[[User], None]) -> None:
    _, uuid = await talking(web, "hush")
    operator = await at_console(web, ann, uuid)
    await web.engine.read(revoke, ann)
    await operator.send("take", conversation=uuid)
    assert await operator.ended() == 4001
    assert (await web.engine.read(lambda: Conversation.objects.get(uuid=uuid))).holder_id is None


async def test_somebody_who_may_no_longer_sees_no_more(web: Web, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 0.02)
    operator = await at_console(web, ann)
    await asyncio.sleep(0.1)
    await web.engine.read(demote, ann)
    assert await operator.ended() == 4001


async def test_signing_out_ends_the_socket(web: Web, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 0.02)
    session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    await web.engine.read(session.create)
    operator = await web.operator(ann, session=session)
    await operator.send("hello")
    await operator.send("watch", conversation="none")
    await operator.expect("error", code="unknown_conversation")
    await web.engine.read(session.delete, session.session_key)
    assert await operator.ended() == 4001


async def test_the_engine_hears_that_an_operator_is_there(web: Web, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(admin_socket, "SEEN_SECONDS", 0.02)
    monkeypatch.setattr(reception, "TOLD_SECONDS", 0.01)
    seen: list[int] = []
    monkeypatch.setattr(web.engine, "operator_seen", seen.append)
    await web.operator(ann)
    await until(lambda: len(seen) >= 3, "three signs of life")
    assert set(seen) == {ann.pk}


async def test_a_stop_sends_operators_away(web: Web, ann: User) -> None:
    operator = await at_console(web, ann)
    await web.engine.stop()
    web.engine._node = None
    assert await operator.ended() == 4012
