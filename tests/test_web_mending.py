"""Operators send again, drop and feed again over their socket."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from gateway.models import Bot, Message, Status
from tests.communicator import eventually
from tests.web_sockets import Client, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_user("ann", is_staff=True)


async def failed(web: Web) -> tuple[str, Message]:
    """A conversation whose first word no handler could be brought to understand."""
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="hello")
    await visitor.expect("message", sender="bot")

    async def settled() -> bool:
        return await Message.objects.filter(direction="in", status=Status.DONE).aexists()

    await eventually(settled, "the end of the first word")
    await Message.objects.filter(direction="in").aupdate(status=Status.FAILED, error="ValueError: x")
    return visitor.welcome["conversation"], await Message.objects.aget(direction="in")


async def watching(web: Web, user: User, uuid: str) -> Client:
    operator = await web.operator(user)
    await operator.send("watch", conversation=uuid, since=0)
    return operator


async def test_who_watches_sees_what_may_be_done_and_what_became_of_it(web: Web, ann: User) -> None:
    uuid, row = await failed(web)
    operator = await watching(web, ann, uuid)
    frame = await operator.expect("message", row=row.pk)
    assert (frame["status"], frame["choices"], frame["unknowns"]) == ("failed", ["replay"], 0)
    await operator.send("replay", conversation=uuid, row=row.pk)
    frame = await operator.expect("message", row=row.pk, status="done")
    assert frame["choices"] == []
    assert await Message.objects.filter(direction="out", kind="message").acount() == 1


async def test_who_does_not_watch_is_answered_by_the_row(web: Web, ann: User) -> None:
    uuid, _ = await failed(web)
    answer = await Message.objects.aget(direction="out", kind="message")
    await Message.objects.filter(pk=answer.pk).aupdate(status=Status.UNKNOWN, unknowns=1, sends=1)
    operator = await web.operator(ann)
    await operator.send("drop", conversation=uuid, row=answer.pk)
    frame = await operator.expect("message", row=answer.pk)
    assert (frame["status"], frame["error"], frame["unknowns"]) == ("note", "Dropped by ann.", 1)
    assert frame["rev"] > answer.rev


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "resend"}, "not_possible"),
        ({"type": "resend", "row": -1}, "unknown_row"),
        ({"type": "replay", "row": 10**30}, "unknown_row"),
        ({"type": "drop", "row": "1"}, "bad_frame"),
        ({"type": "drop", "conversation": "nowhere"}, "unknown_conversation"),
    ],
)
async def test_what_cannot_be_done_is_said(web: Web, ann: User, changes: dict[str, Any], code: str) -> None:
    uuid, row = await failed(web)
    operator = await web.operator(ann)
    await operator.send(**{"conversation": uuid, "row": row.pk, **changes})
    assert (await operator.expect("error"))["code"] == code


async def test_who_may_only_watch_mends_nothing(web: Web, ann: User) -> None:
    uuid, row = await failed(web)
    bot = await Bot.objects.aget(name="bot")
    await bot.watchers.aadd(ann)
    operator = await watching(web, ann, uuid)
    await operator.send("replay", conversation=uuid, row=row.pk)
    assert (await operator.expect("error"))["code"] == "forbidden"
    assert (await Message.objects.aget(pk=row.pk)).status == Status.FAILED
