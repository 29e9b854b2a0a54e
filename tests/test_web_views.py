"""What the ring hands over makes the same frames as what the database has."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from gateway.models import Conversation, Message
from gateway.web.rows import OperatorsView, VisitorsView
from tests.web_sockets import Client, Web, web

__all__ = ["web"]
pytestmark = pytest.mark.django_db(transaction=True)


def newest(frames: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted({frame[key]: frame for frame in frames}.values(), key=lambda frame: int(frame["rev"]))


async def settled(client: Client, rev: int) -> None:
    """Everything up to that rev has been read from the wire."""
    while client.rev < rev:
        await client.expect("message")


async def test_frames_are_as_if_they_had_been_read(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    staff = await User.objects.acreate_superuser("ann")
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="choose")
    await visitor.expect("message", sender="bot")
    place = await Conversation.objects.aget()
    operator = await web.operator(staff)
    await operator.send("hello")
    await operator.send("watch", conversation=str(place.uuid), since=0)
    await operator.expect("message", sender="visitor", status="done")
    reads: list[str] = []
    for view in (OperatorsView, VisitorsView):
        monkeypatch.setattr(view, "newer", counting(view.newer, reads))
    await visitor.send("button", id="2", data="tea")
    await visitor.expect("message", text="You chose tea")
    await operator.send("take", conversation=str(place.uuid))
    await operator.expect("conversation", state="held")
    await operator.send("say", conversation=str(place.uuid), id="3", text="A human", seen=2**40)
    await visitor.expect("message", text="A human")
    monkeypatch.undo()
    for client, view, key in (
        (operator, OperatorsView(place.pk, str(place.uuid)), "row"),
        (visitor, VisitorsView(place.pk), "seq"),
    ):
        shown = [json.loads(one.text) for one in await web.engine.read(view.newer, 0)]  # type: ignore[attr-defined]
        await settled(client, shown[-1]["rev"])
        assert newest(client.messages, key) == shown
    assert not reads
    assert await Message.objects.acount() == len(newest(operator.messages, "row"))


def counting(function: Any, calls: list[str]) -> Any:
    def call(self: Any, after: int) -> Any:
        calls.append(f"{type(self).__name__} after {after}")
        return function(self, after)

    return call
