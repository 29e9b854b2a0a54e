"""The console's list: what is found, in which order, page by page; and the card beside it."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.access import Rights, rights_of
from gateway.models import Bot, Contact, Conversation, Message, Role, Tag
from gateway.web import listing, operator_frames, person, rows

pytestmark = pytest.mark.django_db
EVERYTHING = Rights(Role.ADMINISTER)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def talk(number: int, bot: str = "bot", *, name: str = "", text: str = "hi", **fields: Any) -> Conversation:
    owner, _ = Bot.objects.get_or_create(name=bot)
    who = Contact.objects.create(bot=owner, protocol="telegram", external_id=str(number), name=name or f"P{number}")
    conversation = Conversation.objects.create(
        bot=owner, contact=who, protocol=fields.pop("protocol", "telegram"), key=str(number), seq=1, rev=1, last=text,
        last_at=NOON + timedelta(seconds=number), **fields,
    )  # fmt: skip
    Message.objects.create(
        conversation=conversation, bot=owner, direction="in", kind="message", sender="visitor", seq=1, rev=1,
        seen_rev=1, text=text, method="message", status="done",
    )  # fmt: skip
    return conversation


def found(user: Any = None, rights: Rights = EVERYTHING, **wanted: Any) -> list[str]:
    page = listing.page(rights, user, operator_frames.List(**wanted))
    return [frame["conversation"] for frame in page["conversations"]]


def uuids(*conversations: Conversation) -> list[str]:
    return [str(conversation.uuid) for conversation in conversations]


def test_pages_follow_one_another_without_gap_or_double() -> None:
    made = [talk(number) for number in range(120)]
    Conversation.objects.filter(pk__in=[one.pk for one in made[30:60]]).update(last_at=NOON)  # All at one moment.
    seen: list[str] = []
    while True:
        page = listing.page(EVERYTHING, None, operator_frames.List(before=seen[-1] if seen else ""))
        seen += [frame["conversation"] for frame in page["conversations"]]
        if not page["more"]:
            break
    assert len(seen) == len(set(seen)) == 120
    ordered = Conversation.objects.order_by("-last_at", "-pk")
    assert seen == uuids(*ordered)


def test_each_state_is_found_and_counted() -> None:
    ann = User.objects.create_user("ann", is_staff=True)
    in_state = {
        "bot": talk(1, open=True),
        "waiting": talk(2, open=True, waiting=True, waiting_since=NOON),
        "held": talk(3, open=True, holder=ann),
        "ended": talk(4),
    }
    for state, conversation in in_state.items():
        assert found(state=state) == uuids(conversation)
        assert conversation.state == state
    assert listing.counts(EVERYTHING) == dict.fromkeys(in_state, 1)
    assert found(ann, mine=True) == uuids(in_state["held"])
    waiting = rows.frames_of(Conversation.objects.filter(waiting=True))[0]
    assert waiting["waiting_since"] == NOON


def test_filters_and_search() -> None:
    shop, web = (
        talk(1, "shop", name="Ada Love", text="Where is my parcel?"),
        talk(2, protocol="webchat", text="100% off"),
    )
    assert shop.contact
    shop.contact.tags.add(Tag.objects.create(name="vip"))
    assert found(bot="shop") == found(tag="vip") == found(search="ada") == found(search="PARCEL") == uuids(shop)
    assert found(protocol="webchat") == found(search="100%") == found(search=str(web.uuid)) == uuids(web)
    assert found(search="1") == uuids(web, shop)
    assert found(search="nobody") == found(bot="shop", protocol="webchat") == []


def test_what_may_not_be_seen_is_neither_found_nor_counted() -> None:
    mine, theirs = talk(1, "mine"), talk(2, "theirs")
    theirs.bot.operators.add(User.objects.create_user("bea", is_staff=True))
    rights = rights_of(User.objects.create_user("ann", is_staff=True))
    assert found(rights=rights) == found(rights=rights, search="hi") == uuids(mine)
    assert found(rights=rights, bot="theirs") == []
    assert listing.counts(rights)["ended"] == 1


ODD = ["'", '"; DROP TABLE x; --', "%", "_", "\0", "\\", str(uuid.uuid4())]


@pytest.mark.parametrize("name", ["state", "bot", "protocol", "tag", "search", "before", "mine", "order"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=st.text(max_size=200) | st.sampled_from(ODD))
def test_odd_filters_of_an_address_are_no_error(db: None, name: str, odd: str) -> None:
    page = listing.page(EVERYTHING, User(pk=1), listing.asked({name: odd}))
    assert page["conversations"] == []


# The card


def test_the_card_shows_who_it_is_and_where_else() -> None:
    ann = User.objects.create_user("customer")
    here, elsewhere, secret = talk(1, name="Ada"), talk(2, name="ada@home", protocol="webchat"), talk(3, "secret")
    Contact.objects.update(user=ann)
    secret.bot.operators.add(User.objects.create_user("bea", is_staff=True))
    assert here.contact
    here.contact.tags.add(Tag.objects.create(name="vip"))
    for conversation in (here, elsewhere, secret):
        Message.objects.create(
            conversation=conversation, bot=conversation.bot, direction="out", kind="note", sender="operator", rev=2,
            text=f"note of {conversation.key}", method="note", status="note",
        )  # fmt: skip
    card = json.loads(person.card(here.pk, rights_of(User.objects.create_user("ann", is_staff=True))))
    assert (card["name"], card["tags"], card["account"]) == ("Ada", ["vip"], "customer")
    assert [other["conversation"] for other in card["others"]] == uuids(elsewhere)
    assert [note["text"] for note in card["notes"]] == ["note of 2", "note of 1"]


def test_history_goes_upwards() -> None:
    conversation = talk(1)
    for number in range(2, 131):
        Message.objects.create(
            conversation=conversation, bot=conversation.bot, direction="in", kind="message", sender="visitor",
            seq=number, rev=number, seen_rev=number, text=str(number), method="message", status="done",
        )  # fmt: skip
    first = json.loads(rows.newest(conversation.pk, "u", 130, 60))
    assert ([m["seq"] for m in first["messages"]], first["more"], first["rev"]) == (list(range(71, 131)), True, 130)
    second = json.loads(rows.history(conversation.pk, "u", first["messages"][0]["row"]))
    assert ([m["seq"] for m in second["messages"]], second["more"]) == (list(range(21, 71)), True)
    last = json.loads(rows.history(conversation.pk, "u", second["messages"][0]["row"]))
    assert ([m["seq"] for m in last["messages"]], last["more"]) == (list(range(1, 21)), False)
