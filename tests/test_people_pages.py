"""Exporting a transcript and a person, erasing a person, and retention, at the console: role by action."""

import csv
import io
import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from gateway import erasing
from gateway.models import Audit, Bot, Contact, Conversation, Erasure, Grant, Message, Role

pytestmark = pytest.mark.django_db

PAGES = "/console/people/"
SignIn = Callable[[str], Client]


@pytest.fixture
def place() -> Conversation:
    bot = Bot.objects.create(name="shop")
    contact = Contact.objects.create(bot=bot, protocol="telegram", external_id="7", name="Ann <b>", username="ann")
    place = Conversation.objects.create(bot=bot, contact=contact, protocol="telegram", key="7")
    for seq, (direction, sender, text) in enumerate(
        [("in", "visitor", "=HYPERLINK(1)"), ("out", "bot", "hello"), ("out", "operator", "안녕\nso")], 1
    ):
        Message.objects.create(
            conversation=place, bot=bot, direction=direction, kind="message", sender=sender, text=text, seq=seq,
            rev=seq, method="message", status="done", name="Bea" if sender == "operator" else "",
        )  # fmt: skip
    return place


@pytest.fixture
def sign_in(client: Client) -> SignIn:
    def signed_in(role: str) -> Client:
        if role == "boss":
            client.force_login(User.objects.create_superuser("boss"))
        elif role:
            user = User.objects.create_user("ann", is_staff=role != "visitor")
            user.groups.set(Group.objects.filter(name=f"Console: {role}"))
            client.force_login(user)
        return client

    return signed_in


ROLES = {"": 302, "visitor": 403, "watch": 403, "answer": 403, "lead": 403, "administer": 200, "boss": 200}


@pytest.mark.parametrize(("role", "status"), ROLES.items())
def test_people_are_for_those_who_administer(sign_in: SignIn, place: Conversation, role: str, status: int) -> None:
    client, pk = sign_in(role), place.contact_id
    assert client.get(PAGES, {"q": "ann"}).status_code == status
    assert client.get(f"{PAGES}{pk}/").status_code == status
    assert client.get(f"{PAGES}of/{place.uuid}/").status_code == (302 if status == 200 else status)
    assert client.post(f"{PAGES}{pk}/export/").status_code == status
    moved = 302 if status == 200 else status
    assert client.post(f"{PAGES}bots/{place.bot_id}/", {"days": "30"}).status_code == moved
    assert client.post(f"{PAGES}{pk}/erase/", {"number": "telegram:7"}).status_code == moved
    assert Erasure.objects.exists() is (status == 200)
    assert (Bot.objects.get().retention_days == 30) is (status == 200)


@pytest.mark.parametrize("action", ["export", "erase"])
def test_a_get_does_nothing(sign_in: SignIn, place: Conversation, action: str) -> None:
    assert sign_in("boss").get(f"{PAGES}{place.contact_id}/{action}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    assert strict.post(f"{PAGES}{place.contact_id}/{action}/").status_code == 403


def test_everywhere_takes_the_right_everywhere(sign_in: SignIn, place: Conversation) -> None:
    client, other = sign_in("administer"), Bot.objects.create(name="other")
    Contact.objects.create(bot=other, protocol="telegram", external_id="7")
    Grant.objects.create(bot=other, group=Group.objects.create(name="few"), role=Role.ADMINISTER)
    pk = place.contact_id
    for answer in (
        client.get(f"{PAGES}{pk}/"),
        client.post(f"{PAGES}{pk}/export/"),
        client.post(f"{PAGES}{pk}/erase/"),
    ):
        assert answer.status_code == 403
    assert client.post(f"{PAGES}bots/{other.pk}/", {"days": "3"}).status_code == 404


def test_what_is_not_retyped_is_not_erased(sign_in: SignIn, place: Conversation) -> None:
    client = sign_in("boss")
    for number in ("", "7", "telegram:8", "Ann <b>"):
        told = client.post(f"{PAGES}{place.contact_id}/erase/", {"number": number}, follow=True)
        assert b"Nothing was erased" in told.content
    assert not Erasure.objects.exists()
    client.post(f"{PAGES}{place.contact_id}/erase/", {"number": "telegram:7"})
    assert Erasure.objects.get().contacts == [place.contact_id]


def test_an_export_is_a_file_with_everything(sign_in: SignIn, place: Conversation) -> None:
    answer = sign_in("boss").post(f"{PAGES}{place.contact_id}/export/")
    assert answer["Content-Disposition"].startswith("attachment")
    kept = json.loads(answer.content)
    assert [row["text"] for row in kept["conversations"][0]["tables"]["message"]][-1] == "안녕\nso"


def test_each_is_in_the_audit_log_without_a_name(sign_in: SignIn, place: Conversation) -> None:
    client, pk = sign_in("boss"), place.contact_id
    client.post(f"{PAGES}{pk}/export/")
    client.post(f"/console/conversations/{place.uuid}/export/txt/")
    client.post(f"{PAGES}bots/{place.bot_id}/", {"days": ""})
    client.post(f"{PAGES}{pk}/erase/", {"number": "telegram:7"})
    assert list(Audit.objects.order_by("pk").values_list("action", flat=True)) == [
        "export-person", "export-transcript", "retention", "erase-person",
    ]  # fmt: skip
    assert not any("Ann" in json.dumps(detail) for detail in Audit.objects.values_list("detail", flat=True))


@pytest.mark.parametrize("days", ["0", "-1", "1e3", "9" * 30, "x", "１２", "36501", "3.5", "\0"])
def test_a_retention_is_a_number_of_days(sign_in: SignIn, place: Conversation, days: str) -> None:
    told = sign_in("boss").post(f"{PAGES}bots/{place.bot_id}/", {"days": days}, follow=True)
    assert b"Nothing was changed" in told.content
    assert Bot.objects.get().retention_days is None


@pytest.mark.parametrize("sought", ["Ann", "@ann", "7", "ANN <"])
def test_a_person_is_found(sign_in: SignIn, place: Conversation, sought: str) -> None:
    page = sign_in("boss").get(PAGES, {"q": sought}).content.decode()
    assert "telegram:7" in page
    assert "Ann &lt;b&gt;" in page


@pytest.mark.parametrize("sought", ["\0", "%", "' OR 1=1 --", "9" * 5000, "\ud800", "_"])
def test_no_search_breaks_it(sign_in: SignIn, place: Conversation, sought: str) -> None:
    answer = sign_in("boss").get(PAGES, {"q": sought.encode("utf-8", "surrogatepass")})
    assert answer.status_code == 200
    assert b"telegram:7" not in answer.content


@pytest.mark.parametrize("pk", ["9" * 18, "9" * 30, "0", "x", "-1"])
def test_no_number_breaks_it(sign_in: SignIn, pk: str) -> None:
    client = sign_in("boss")
    assert client.get(f"{PAGES}{pk}/").status_code == 404
    assert client.post(f"{PAGES}bots/{pk}/", {"days": "1"}).status_code == 404


# Who was only ever in rooms


def test_who_spoke_in_a_room_is_found_exported_and_erased(sign_in: SignIn, place: Conversation) -> None:
    room = Conversation.objects.create(bot=place.bot, protocol="webchat", key="room/den")
    cy, dee = str(uuid4()), str(uuid4())
    for seq, (visitor, name) in enumerate([(cy, "Guest 1"), (cy, "Cy <b>"), (dee, "Dee")], 1):
        Message.objects.create(
            conversation=room, bot=place.bot, direction="in", kind="message", sender="visitor", name=name, seq=seq,
            rev=seq, method="message", status="done", text=f"says {name}",
            payload={"text": f"says {name}", "sender": {"id": visitor, "name": name}},
        )  # fmt: skip
    client = sign_in("boss")
    for sought in ("cy <", cy):
        page = client.get(PAGES, {"q": sought}).content.decode()
        assert page.count(f'name="id" value="{cy}"') == 1
        assert "Cy &lt;b&gt;" in page
        assert dee not in page
    opened = client.post(f"{PAGES}speakers/{place.bot_id}/", {"id": cy})
    kept = json.loads(client.post(f"{opened['Location']}export/").content)
    assert [row["text"] for row in kept["said_elsewhere"]] == ["says Guest 1", "says Cy <b>"]
    client.post(f"{opened['Location']}erase/", {"number": f"webchat:{cy}"})
    erasing.erase_here(Erasure.objects.get())
    assert list(room.messages.order_by("pk").values_list("text", flat=True)) == ["", "", "says Dee"]
    assert not Contact.objects.filter(external_id=cy).exists()
    for unknown in (cy, str(uuid4()), "x", ""):
        assert client.post(f"{PAGES}speakers/{place.bot_id}/", {"id": unknown}).status_code == 404


def test_a_room_of_a_bot_that_is_not_theirs_names_nobody(sign_in: SignIn, place: Conversation) -> None:
    room = Conversation.objects.create(bot=place.bot, protocol="webchat", key="room/den")
    visitor = str(uuid4())
    Message.objects.create(
        conversation=room, bot=place.bot, direction="in", kind="message", sender="visitor", name="Cy", seq=1, rev=1,
        method="message", status="done", text="hi", payload={"sender": {"id": visitor, "name": "Cy"}},
    )  # fmt: skip
    Grant.objects.create(bot=place.bot, group=Group.objects.create(name="few"), role=Role.ADMINISTER)
    client = sign_in("administer")
    assert visitor not in client.get(PAGES, {"q": visitor[:8]}).content.decode()
    assert client.post(f"{PAGES}speakers/{place.bot_id}/", {"id": visitor}).status_code == 404
    assert client.get(f"{PAGES}speakers/{place.bot_id}/").status_code == 405


# Transcripts


def transcript(client: Client, place: Conversation, kind: str) -> str:
    answer = client.post(f"/console/conversations/{place.uuid}/export/{kind}/")
    assert answer["Content-Disposition"] == f'attachment; filename="conversation-{place.uuid}.{kind}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    return str(answer.content.decode())


def test_a_transcript_as_text_json_and_csv(sign_in: SignIn, place: Conversation) -> None:
    client = sign_in("watch")
    assert "operator Bea: 안녕\n    so" in transcript(client, place, "txt")
    kept = json.loads(transcript(client, place, "json"))
    assert [(row["seq"], row["from"]) for row in kept["messages"]] == [(1, "visitor"), (2, "bot"), (3, "operator")]
    rows = list(csv.reader(io.StringIO(transcript(client, place, "csv"))))
    assert rows[0][:5] == ["seq", "at", "from", "name", "text"]
    assert [row[4] for row in rows[1:]] == ["'=HYPERLINK(1)", "hello", "안녕\nso"]


def test_who_may_not_see_a_conversation_gets_no_transcript(sign_in: SignIn, place: Conversation) -> None:
    Grant.objects.create(bot=place.bot, group=Group.objects.create(name="few"), role=Role.WATCH)
    address = f"/console/conversations/{place.uuid}/export/json/"
    client = sign_in("administer")
    assert client.post(address).status_code == 404
    assert client.get(address).status_code == 405
    assert client.post(address.replace("json", "html")).status_code == 404
