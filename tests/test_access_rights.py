"""Who may see and do what at the console: every role, every action; and how soon it ends."""

import asyncio
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, Permission, User
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.access import Rights, rights_of
from gateway.models import Audit, Bot, Contact, Conversation, Grant, Message, Role
from gateway.web import admin_socket, operator_frames
from tests.web_sockets import ORIGIN, Client, Web, nobody, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)
NOT_ALLOWED = 4001
# Every action there is, so that a new one is in the matrix from its first day.
ACTIONS = sorted(operator_frames.ADMIN.tags - {"hello"})
# These show what somebody may see, whatever that is.
OF_NO_CONVERSATION = {"list", "counts", "replies"}
NEEDED = dict.fromkeys(ACTIONS, Role.ANSWER) | {
    **dict.fromkeys(("watch", "unwatch", "history", "person"), Role.WATCH), "ban": Role.LEAD, "unban": Role.LEAD,
}  # fmt: skip

LISTED = [
    # name, is a superuser, on the list of
    ("superuser", True, None),
    ("operator", False, "operators"),
    ("watcher", False, "watchers"),
    ("stranger", False, None),
]
ROLES = {
    "superuser": Role.ADMINISTER, "administrator": Role.ADMINISTER, "lead": Role.LEAD, "operator": Role.ANSWER,
    "watcher": Role.WATCH, "stranger": Role.NONE,
}  # fmt: skip
FORBIDDEN, UNKNOWN = "forbidden", "unknown_conversation"


def bot() -> Bot:
    return Bot.objects.get_or_create(name="bot")[0]


def listed(role: str) -> User:
    """Somebody of that role, with a bot that has both lists."""
    made = {name: User.objects.create_user(name, is_staff=True, is_superuser=root) for name, root, _ in LISTED}
    for name, _, place in LISTED:
        if place:
            getattr(bot(), place).add(made[name])
    for name in ("lead", "administrator"):
        group = Group.objects.create(name=name)
        Grant.objects.create(bot=bot(), group=group, role=ROLES[name])
        made[name] = User.objects.create_user(name, is_staff=True)
        made[name].groups.add(group)
    return made[role]


async def talking(web: Web) -> str:
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="hush")
    await visitor.expect("message", id="1")
    return str(visitor.welcome["conversation"])


async def act(operator: Client, action: str, uuid: str) -> str:
    """Acts, and gives the error's code; "" where there is none."""
    before = len(operator.frames)
    more = {"id": action, "text": "x", "seen": 1, "since": 0, "row": 1, "before": 1, "to": "operator", "tag": "x"}
    if action in OF_NO_CONVERSATION:
        more = {"id": action}
    await operator.send(action, conversation=uuid, **more)
    # The answer to the marker comes after that to the action, since frames are taken one after the other.
    await operator.raw(f'{{"type":"marker {action}"}}')
    await operator.expect("error", code="unknown_type", detail=f"There is no frame of type 'marker {action}'.")
    errors = [frame["code"] for frame in operator.frames[before:] if frame["type"] == "error"]
    return next((code for code in errors if code != "unknown_type"), "")


@pytest.mark.parametrize("role", ROLES)
async def test_every_action_of_every_role(web: Web, role: str) -> None:
    uuid, user = await talking(web), await web.engine.read(listed, role)
    operator, may = await web.operator(user), ROLES[role]
    for action in ACTIONS:
        code = await act(operator, action, uuid)
        if action in OF_NO_CONVERSATION:
            assert code == ""
        elif may == Role.NONE:
            assert (action, code) == (action, UNKNOWN)
        elif may < NEEDED[action]:
            assert (action, code) == (action, FORBIDDEN)
        else:
            assert code not in (FORBIDDEN, UNKNOWN), action
    logged = await web.engine.read(lambda: set(Audit.objects.values_list("action", flat=True)))
    assert (may >= Role.ANSWER) is bool(logged)
    assert ("ban" in logged) is (may >= Role.LEAD)


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_bot_without_lists_is_every_staff_users(web: Web, action: str) -> None:
    uuid = await talking(web)
    operator = await web.operator(await web.engine.read(lambda: User.objects.create_user("ann", is_staff=True)))
    allowed = await act(operator, action, uuid) not in (FORBIDDEN, UNKNOWN)
    assert allowed is (NEEDED[action] <= Role.ANSWER)


@pytest.mark.parametrize("role", [name for name, *_ in LISTED])
async def test_the_list_shows_what_is_theirs(web: Web, role: str) -> None:
    uuid = await talking(web)
    user = await web.engine.read(listed, role)
    operator = await web.operator(user)
    await operator.send("hello")
    await talking(web)
    await act(operator, "watch", "none")
    shown = {frame["conversation"] for frame in operator.frames if frame["type"] == "conversation"}
    assert (uuid in shown) is (role != "stranger")
    if role == "stranger":
        await asyncio.sleep(0.3)
        await act(operator, "watch", "none")
        assert not [frame for frame in operator.frames if frame["type"] in ("conversation", "message")]


@pytest.mark.parametrize("changes", [None, {"is_staff": False}, {"is_active": False}])
async def test_others_do_not_come_in(web: Web, changes: dict[str, bool] | None) -> None:
    user = nobody() if changes is None else await web.engine.read(
        lambda: User.objects.create_user("ann", **{"is_staff": True, **changes})
    )  # fmt: skip
    assert not await web.client_to_admin(user=user).open()


@pytest.mark.parametrize(
    "origin",
    [None, "null", "", "http://evil.example", f"{ORIGIN}.evil.example", "http://127.0.0.1:8001", "https://127.0.0.1:8000",
     f"http://me@{ORIGIN[7:]}", f"{ORIGIN}/page", "http://127.0.0.1", f"{ORIGIN}, {ORIGIN}"],
)  # fmt: skip
async def test_no_cookie_helps_a_foreign_page(web: Web, origin: str | None) -> None:
    user = await web.engine.read(lambda: User.objects.create_superuser("root"))
    assert not await web.client_to_admin(user=user, origin=origin).open()
    assert await web.client_to_admin(user=user).open()


# While a socket is open


def take_from_list(user: User) -> None:
    bot().operators.remove(user)


def make_watcher(user: User) -> None:
    bot().operators.remove(user)
    bot().watchers.add(user)


def sign_out(user: User) -> None:
    import_module(django_settings.SESSION_ENGINE).SessionStore(user.key).delete()  # type: ignore[attr-defined]


def change(**changes: Any) -> Callable[[User], None]:
    def apply(user: User) -> None:
        User.objects.filter(pk=user.pk).update(**changes)

    return apply


REVOKED = {
    "signed out": sign_out,
    "deactivated": change(is_active=False),
    "not staff": change(is_staff=False),
    "another password": change(password="!other"),
    "taken from the list": take_from_list,
    "deleted": lambda user: User.objects.filter(pk=user.pk).delete(),
}


@pytest.mark.parametrize("how", REVOKED)
async def test_a_revocation_ends_the_socket_by_itself(web: Web, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 0.05)
    uuid = await talking(web)
    user = await web.engine.read(listed, "operator")
    session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    await web.engine.read(session.create)
    operator = await web.operator(user, session=session)
    await operator.send("hello")
    assert await act(operator, "watch", uuid) == ""
    user.key = session.session_key
    await web.engine.read(REVOKED[how], user)
    assert await operator.ended() == NOT_ALLOWED


def test_it_is_asked_often_enough() -> None:
    assert admin_socket.CHECK_SECONDS <= 4


@pytest.mark.parametrize("how", REVOKED)
@pytest.mark.parametrize("action", ACTIONS)
async def test_no_action_after_a_revocation(web: Web, how: str, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 3600)
    monkeypatch.setattr(admin_socket, "SEEN_SECONDS", 3600)
    uuid = await talking(web)
    user = await web.engine.read(listed, "operator")
    session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    await web.engine.read(session.create)
    operator = await web.operator(user, session=session)
    await operator.send("hello")
    await act(operator, "watch", uuid)
    user.key = session.session_key
    rows = await web.engine.read(Message.objects.count)
    await web.engine.read(REVOKED[how], user)
    late = {"id": "late", "text": "x", "seen": 1, "since": 0, "row": 1, "before": 1, "to": "operator", "tag": "x"}
    await operator.send(action, conversation=uuid, **({} if action in OF_NO_CONVERSATION else late))
    assert await operator.ended() == NOT_ALLOWED
    assert await web.engine.read(Message.objects.count) == rows
    assert await web.engine.read(lambda: Conversation.objects.get(uuid=uuid).holder_id) is None


async def test_who_may_only_watch_now_answers_no_more(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = await talking(web)
    user = await web.engine.read(listed, "operator")
    operator = await web.operator(user)
    assert await act(operator, "take", uuid) == ""
    await web.engine.read(make_watcher, user)
    assert await act(operator, "say", uuid) == FORBIDDEN
    assert await act(operator, "watch", uuid) == ""
    # What they hold goes back to the bot, since they can no longer hand it back themselves.
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 0.05)
    again = await web.operator(user)
    await again.send("hello")
    await again.expect("conversation", conversation=uuid, holder=None)


async def test_who_may_more_is_shown_more(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "CHECK_SECONDS", 0.05)
    uuid = await talking(web)
    user = await web.engine.read(listed, "stranger")
    operator = await web.operator(user)
    await operator.send("hello")
    assert await act(operator, "watch", uuid) == UNKNOWN
    await web.engine.read(lambda: bot().watchers.add(user))
    await operator.expect("conversation", conversation=uuid)


# The rule itself


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(operators=st.sets(st.integers(0, 3)), watchers=st.sets(st.integers(0, 3)), who=st.integers(0, 3))
def test_the_rule(db: None, operators: set[int], watchers: set[int], who: int) -> None:
    users = [User.objects.get_or_create(username=f"u{n}", is_superuser=n == 3)[0] for n in range(4)]
    shop, other = bot(), Bot.objects.get_or_create(name="other")[0]
    shop.operators.set([users[n] for n in operators])
    shop.watchers.set([users[n] for n in watchers])
    everybodys = not operators and not watchers
    answers = everybodys or who in operators or who == 3
    sees = answers or who in watchers
    rights = rights_of(users[who])
    assert (rights.may(Role.ANSWER, shop.pk), rights.may(Role.WATCH, shop.pk)) == (answers, sees)
    assert rights.may(Role.ANSWER, other.pk)
    assert rights.may(Role.LEAD, other.pk) is rights.may(Role.LEAD, shop.pk) is (who == 3)
    assert set(Bot.objects.filter(rights.where(Role.WATCH, "pk"))) == {other, *([shop] if sees else [])}


def test_nobody_named_means_everybody() -> None:
    bot()
    assert rights_of(User.objects.create_user("ann", is_staff=True)) == Rights()


# Django's administration


def two_bots() -> tuple[Bot, Bot]:
    """Each with a conversation of one word."""
    made = []
    for name in ("mine", "theirs"):
        owner = Bot.objects.create(name=name)
        contact = Contact.objects.create(bot=owner, protocol="telegram", external_id="7", name=f"Person of {name}")
        conversation = Conversation.objects.create(
            bot=owner, contact=contact, protocol="telegram", key="7", seq=1, rev=1
        )
        Message.objects.create(
            conversation=conversation, bot=owner, direction="in", kind="message", sender="visitor", seq=1, rev=1,
            text=f"word for {name}", method="message", status="done",
        )  # fmt: skip
        made.append(owner)
    return made[0], made[1]


def staff_with(*permissions: str) -> User:
    user = User.objects.create_user("ann", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def test_the_administration_keeps_to_the_lists(client: Browser) -> None:
    mine, theirs = two_bots()
    user = staff_with("view_conversation", "view_message", "view_contact", "view_bot")
    mine.operators.add(user)
    theirs.operators.add(User.objects.create_user("bea", is_staff=True))
    client.force_login(user)
    shown_as = {"message": "word for", "conversation": "Person of", "contact": "Person of"}
    models: tuple[Any, ...] = (Message, Conversation, Contact)
    for (name, shown), model in zip(shown_as.items(), models, strict=True):
        page = client.get(f"/admin/gateway/{name}/").content.decode()
        assert f"{shown} mine" in page
        assert "theirs" not in page
        assert client.get(f"/admin/gateway/{name}/{model.objects.get(bot=mine).pk}/change/").status_code == 200
        assert client.get(f"/admin/gateway/{name}/{model.objects.get(bot=theirs).pk}/change/").status_code == 302
    assert "theirs" not in client.get("/admin/gateway/bot/").content.decode()
    found = client.get("/admin/gateway/message/", {"q": "word"}).content
    assert (b"1 message" in found, b"for theirs" in found) == (True, False)


def test_the_administration_asks_for_djangos_permissions(client: Browser) -> None:
    two_bots()
    client.force_login(staff_with())
    for name in ("bot", "contact", "conversation", "message", "node"):
        assert client.get(f"/admin/gateway/{name}/").status_code == 403


def test_no_get_changes_anything(client: Browser) -> None:
    """Every page that there is, asked as a superuser: no row is other than before."""
    two_bots()
    client.force_login(User.objects.create_superuser("root"))
    before = snapshot()
    pages = ["/", "/console/", "/console/login/", "/admin/", "/healthz", "/readyz", "/widget.js", "/robots.txt"]
    for model in (Bot, Contact, Conversation, Message):
        name = model._meta.model_name
        pages += [f"/admin/gateway/{name}/", f"/admin/gateway/{name}/{model.objects.earliest('pk').pk}/change/"]
        pages += [f"/admin/gateway/{name}/?action=delete_selected&_selected_action=1"]
    for page in pages:
        client.get(page)
    client.get("/console/logout/")
    assert client.get("/console/").status_code == 200
    assert snapshot() == before


def snapshot() -> str:
    found = [list(model.objects.order_by("pk").values()) for model in (Bot, Contact, Conversation, Message, User)]
    return json.dumps(found, default=str).replace(str(User.objects.latest("pk").last_login), "")


def test_forged_forms_change_nothing() -> None:
    mine, _ = two_bots()
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("root"))
    sent = browser.post(f"/admin/gateway/bot/{mine.pk}/change/", {"widget_origins": "https://evil.example"})
    assert sent.status_code == 403
    assert browser.post("/console/logout/").status_code == 403
    mine.refresh_from_db()
    assert mine.widget_origins == ""


OWNED = {
    "bot": "999", "protocol": "x", "external_id": "x", "conversation": "999", "holder": "1", "owner": "1",
    "uuid": "0" * 32, "session": "{}", "key": "x", "author": "1", "text": "forged", "id": "999", "pk": "999",
}  # fmt: skip


def test_no_owner_is_changed_by_a_form(client: Browser) -> None:
    two_bots()
    client.force_login(User.objects.create_superuser("root"))
    before = {model: list(model.objects.order_by("pk").values()) for model in (Contact, Conversation, Message)}
    for model in before:
        for row in model.objects.all():
            client.post(f"/admin/gateway/{model._meta.model_name}/{row.pk}/change/", OWNED)
    assert {model: list(model.objects.order_by("pk").values()) for model in before} == before
