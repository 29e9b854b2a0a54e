"""The log of what operators do: who may read it, and that nothing in it changes."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from gateway import audit
from gateway.access import rights_of
from gateway.models import Audit, Bot, Conversation, Grant, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation() -> Conversation:
    bot = Bot.objects.create(name="shop")
    return Conversation.objects.create(bot=bot, protocol="telegram", key="7")


def staff(name: str, group: str = "") -> User:
    user = User.objects.create_user(name, is_staff=True)
    if group:
        user.groups.add(Group.objects.get(name=f"Console: {group}"))
    return user


def test_a_row_says_who_did_what_where(conversation: Conversation) -> None:
    ann = staff("ann")
    audit.record(ann, "assign", conversation=conversation, detail={"to": "bea"})
    row = Audit.objects.get()
    assert (row.user, row.who, row.action, row.bot, row.conversation, row.detail) == (
        ann, "ann", "assign", conversation.bot, conversation.uuid, {"to": "bea"},
    )  # fmt: skip


def test_it_outlives_what_it_tells_of(conversation: Conversation) -> None:
    ann, uuid = staff("ann"), conversation.uuid
    audit.record(ann, "take", conversation=conversation)
    ann.delete()
    conversation.bot.delete()
    row = Audit.objects.get()
    assert (row.who, row.conversation) == ("ann", uuid)


def test_nothing_in_it_changes(conversation: Conversation) -> None:
    audit.record(staff("ann"), "take", conversation=conversation)
    row = Audit.objects.get()
    row.who = "bea"
    for change in (row.save, row.delete, Audit.objects.all().delete, lambda: Audit.objects.update(who="bea")):
        with pytest.raises(TypeError):
            change()
    assert Audit.objects.get().who == "ann"


@pytest.mark.parametrize(
    ("group", "role"),
    [("", Role.ANSWER), *((role.label, role) for role in Role if role)],
)
def test_a_group_gives_a_role(client: Client, conversation: Conversation, group: str, role: Role) -> None:
    user = staff("ann", group)
    assert rights_of(user).at(conversation.bot_id) == role
    client.force_login(user)
    assert client.get("/console/").status_code == 200
    assert client.get("/console/audit/").status_code == (200 if role >= Role.LEAD else 403)
    assert (b"Audit log" in client.get("/console/").content) is (role >= Role.LEAD)


def test_who_leads_one_bot_reads_of_that_one(client: Client, conversation: Conversation) -> None:
    leads, other = Group.objects.create(name="shop leads"), Bot.objects.create(name="other")
    Grant.objects.create(bot=conversation.bot, group=leads, role=Role.LEAD)
    user = staff("ann", "watch")
    user.groups.add(leads)
    audit.record(user, "in-the-shop", conversation=conversation)
    audit.record(user, "elsewhere", bot=other)
    audit.record(user, "everywhere")
    client.force_login(user)
    page = client.get("/console/audit/").content.decode()
    rows = page[page.index("<tbody>") :]
    assert ("in-the-shop" in rows, "elsewhere" in rows, "everywhere" in rows) == (True, False, False)


def test_the_log_is_paged_and_filtered(client: Client, conversation: Conversation) -> None:
    ann, root = staff("ann"), User.objects.create_superuser("root")
    for number in range(60):
        audit.record(ann, "say", conversation=conversation, detail={"number": number})
    audit.record(root, "take", conversation=conversation)
    client.force_login(root)
    first = client.get("/console/audit/", {"who": "ann"})
    assert first.content.count(b"<tr>") == 51
    second = client.get(f"/console/audit/{first.context['older']}")
    assert second.content.count(b"<tr>") == 11
    assert client.get("/console/audit/", {"action": "take"}).content.count(b"<tr>") == 2
    assert client.get("/console/audit/", {"conversation": conversation.uuid, "bot": "shop"}).status_code == 200


ODD = ["", "'", '"; DROP TABLE auth_user; --', "\0", "1 OR 1=1", "-1", "9" * 40, "%", "ﷺ" * 400, "‮", "[]", "None"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["who", "action", "bot", "conversation", "before", "order", "pk__in", "q"])
def test_odd_filters_are_no_error(client: Client, conversation: Conversation, name: str, odd: str) -> None:
    audit.record(staff("ann"), "say", conversation=conversation)
    client.force_login(User.objects.create_superuser("root"))
    for page in ("/console/audit/", "/console/replies/", "/console/"):
        assert client.get(page, {name: odd}).status_code == 200
