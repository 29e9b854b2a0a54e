"""The pages of announcements: who may do what, and the way from a draft to its report."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from gateway import announcing
from gateway.audience import Audience
from gateway.models import Announcement, AnnouncementState, Audit, Bot, Contact, Conversation, Grant, Message, Role

pytestmark = pytest.mark.django_db

PAGES = "/console/announcements/"
FORM = {"text": "We close at six.", "bot": "", "protocol": "", "language": "", "tag": "", "since": ""}
SignIn = Callable[[str], Client]


@pytest.fixture
def shop() -> Bot:
    return Bot.objects.create(name="shop")


@pytest.fixture
def visitors(shop: Bot) -> list[Conversation]:
    made = []
    for number in range(3):
        contact = Contact.objects.create(bot=shop, protocol="webchat", external_id=str(number), language="en")
        made.append(
            Conversation.objects.create(
                bot=shop, contact=contact, protocol="webchat", key=str(number), last_at=timezone.now()
            )
        )
    return made


@pytest.fixture
def sign_in(client: Client) -> SignIn:
    """With that role everywhere: "" for nobody, "visitor" for a user who is no staff, "boss" for a superuser."""

    def signed_in(role: str) -> Client:
        if role == "boss":
            client.force_login(User.objects.create_superuser("boss"))
        elif role:
            user = User.objects.create_user("ann", is_staff=role != "visitor")
            if role in [choice.label for choice in Role]:
                user.groups.add(Group.objects.get(name=f"Console: {role}"))
            client.force_login(user)
        return client

    return signed_in


def drafted(shop: Bot) -> Announcement:
    return announcing.draft("We close at six.", Audience((shop.pk,)))


ROLES = {"": 302, "visitor": 403, "watch": 403, "answer": 403, "lead": 200, "administer": 200, "boss": 200}


@pytest.mark.parametrize(("role", "status"), ROLES.items())
def test_the_pages_are_for_those_who_lead(sign_in: SignIn, shop: Bot, role: str, status: int) -> None:
    draft, client = drafted(shop), sign_in(role)
    for address in ("", "new/", f"{draft.pk}/", f"{draft.pk}/progress/"):
        assert client.get(PAGES + address).status_code == status
    for action in ("confirm", "pause", "resume", "cancel", "discard"):
        answer = client.post(f"{PAGES}{draft.pk}/{action}/", {"number": "no"})
        assert answer.status_code == (302 if status == 200 else status)
    assert Announcement.objects.exists() is (status != 200), "only who may has discarded it"


def test_what_a_get_would_change_is_refused(sign_in: SignIn, shop: Bot) -> None:
    draft, client = drafted(shop), sign_in("lead")
    for action in ("confirm", "pause", "resume", "cancel", "discard"):
        assert client.get(f"{PAGES}{draft.pk}/{action}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(f"{PAGES}{draft.pk}/discard/").status_code == 403
    assert Announcement.objects.exists()


def test_from_the_draft_to_its_report(sign_in: SignIn, visitors: list[Conversation]) -> None:
    client = sign_in("lead")
    page = client.post(f"{PAGES}new/", FORM, follow=True)
    assert b"conversations get it" in page.content
    row = Announcement.objects.get()
    assert (row.state, row.counted, Message.objects.count()) == (AnnouncementState.DRAFT, 3, 0)
    address = f"{PAGES}{row.pk}/"
    assert b"not the number" in client.post(f"{address}confirm/", {"number": "4"}, follow=True).content
    row.refresh_from_db()
    assert row.state == AnnouncementState.DRAFT
    client.post(f"{address}confirm/", {"number": "3"})
    for action, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        client.post(f"{address}{action}/")
        assert client.get(f"{address}progress/").json()["state"] == state
    again = client.post(f"{address}resume/", follow=True)
    assert b"nothing was changed" in again.content
    actions = list(Audit.objects.order_by("pk").values_list("action", "who"))
    assert actions == [(name, "ann") for name in ("announce", "announce-pause", "announce-resume", "announce-cancel")]
    assert b"3 sent" not in client.get(PAGES).content


def test_a_second_click_announces_nothing_twice(sign_in: SignIn, visitors: list[Conversation], shop: Bot) -> None:
    draft, client = drafted(shop), sign_in("lead")
    for _ in range(2):
        client.post(f"{PAGES}{draft.pk}/confirm/", {"number": "3"})
    assert Audit.objects.count() == 1


def test_who_leads_one_bot_announces_to_that_one(sign_in: SignIn, shop: Bot) -> None:
    client, other = sign_in("answer"), Bot.objects.create(name="other")
    leads = Group.objects.create(name="shop leads")
    Grant.objects.create(bot=shop, group=leads, role=Role.LEAD)
    User.objects.get(username="ann").groups.add(leads)
    assert client.get(PAGES).status_code == 200
    theirs = announcing.draft("theirs", Audience((other.pk,)))
    assert client.get(f"{PAGES}{theirs.pk}/").status_code == 404
    assert client.post(f"{PAGES}{theirs.pk}/confirm/", {"number": "0"}).status_code == 404
    assert b"theirs" not in client.get(PAGES).content
    assert client.post(f"{PAGES}new/", {**FORM, "bot": str(other.pk)}).status_code == 200, "the form again"
    client.post(f"{PAGES}new/", FORM)
    assert Announcement.objects.latest("pk").audience["bots"] == [shop.pk]


HOSTILE = [
    "'; DROP TABLE gateway_message; --",
    "\0",
    "9" * 400,
    "%s%n",
    "../../etc",
    "<svg onload=alert(1)>",
    "\ud800",
    "-1",
]


@pytest.mark.parametrize("field", [*FORM])
@pytest.mark.parametrize("value", HOSTILE)
def test_no_field_breaks_the_form(sign_in: SignIn, shop: Bot, field: str, value: str) -> None:
    answer = sign_in("lead").post(f"{PAGES}new/", {**FORM, field: value.encode("utf-8", "surrogatepass")})
    assert answer.status_code in (200, 302)
    assert answer.status_code == 200 or field == "text"
    assert b"<svg onload" not in answer.content


@pytest.mark.parametrize("pk", ["9" * 30, "0", "x", "1e3", "-1"])
def test_no_number_breaks_the_page(sign_in: SignIn, pk: str) -> None:
    assert sign_in("lead").get(f"{PAGES}{pk}/").status_code == 404


def test_fields_that_are_not_the_forms_change_nothing(sign_in: SignIn, shop: Bot) -> None:
    more: dict[str, Any] = {"state": "running", "counted": "0", "author": "1", "cursors": "{}"}
    sign_in("lead").post(f"{PAGES}new/", {**FORM, **more})
    row = Announcement.objects.get()
    assert (row.state, row.author and row.author.username, row.cursors) == (AnnouncementState.DRAFT, "ann", {})
