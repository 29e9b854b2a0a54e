"""Who has every right at one bot sees and changes nothing of another's: every page and every model there is."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from gateway.announcement import Announcement
from gateway.console_models import Audit, Reply
from gateway.models import Bot, Contact, Conversation, Grant, Message, Node, Role
from gateway.web import transcripts
from gateway.web.dashboard import TABLES
from gateway.web.models import Rating, WidgetOptions
from gateway.web.urls import urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)
SOUGHT = "xyzzy"
MARK = "xyzzy-7f3a"
"""In everything that is of the other bot, and in nothing that anybody asks for."""
REFUSED = {302, 400, 403, 404, 405}
# Of the whole gateway, for whoever was given Django's right to look.
OF_NO_BOT = {Node}


@pytest.fixture
def theirs() -> Bot:
    bot = Bot.objects.create(name=MARK)
    bot.operators.add(User.objects.create_user("bea", is_staff=True))
    contact = Contact.objects.create(bot=bot, protocol="telegram", external_id="7", name=MARK, username=MARK)
    place = Conversation.objects.create(bot=bot, contact=contact, protocol="telegram", key="7", seq=1, rev=1, last=MARK)
    Message.objects.create(
        conversation=place, bot=bot, direction="in", kind="message", sender="visitor", seq=1, rev=1, text=MARK,
        method="message", status="dead", error=MARK,
    )  # fmt: skip
    Conversation.objects.update(last_at=timezone.now())
    Reply.objects.create(bot=bot, shortcut=MARK, text=MARK)
    Announcement.objects.create(text=MARK, audience={"bots": [bot.pk]}, counted=1)
    Audit.objects.create(who="bea", action="say", bot=bot, conversation=place.uuid, detail={"to": MARK})
    WidgetOptions.objects.create(bot=bot, identity_secret=MARK)
    Rating.objects.create(bot=bot, conversation=place, seq=1, score=5, text=MARK)
    return bot


@pytest.fixture
def ann(client: Client) -> Client:
    """Administers a bot of her own, and has each of Django's rights to the gateway's models."""
    mine, group = Bot.objects.create(name="mine"), Group.objects.create(name="hers")
    Grant.objects.create(bot=mine, group=group, role=Role.ADMINISTER)
    user = User.objects.create_user("ann", is_staff=True)
    user.groups.add(group)
    labels = {model._meta.app_label for model in site._registry if model.__module__.startswith("gateway")}
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=labels))
    client.force_login(user)
    return client


def console_pages(bot: Bot) -> Iterator[str]:
    """Every page of the console, about what is of that bot."""
    place, announcement = Conversation.objects.get(bot=bot), Announcement.objects.get()
    pk = {
        "console-reply": Reply.objects.get(bot=bot).pk, "console-reply-delete": Reply.objects.get(bot=bot).pk,
        "console-speaker": bot.pk, "console-retention": bot.pk,
    }  # fmt: skip
    for name in sorted({pattern.name for pattern in urlpatterns if (pattern.name or "").startswith("console")}):
        known: dict[str, list[Any]] = {
            "pk": [announcement.pk if "announcement" in name else pk.get(name, place.contact_id)],
            "uuid": [place.uuid],
            "action": ["confirm", "pause", "resume", "cancel", "discard"],
            "name": list(TABLES),
            "kind": list(transcripts.KINDS),
        }
        yield from addresses(name, known)


def addresses(name: str, known: dict[str, list[Any]]) -> list[str]:
    """Whatever arguments the page takes; a page that takes others has to be thought of here."""
    for keys in ((), ("pk",), ("uuid",), ("name",), ("pk", "action"), ("uuid", "kind")):
        last = keys[-1] if keys else ""
        rest = {key: known[key][0] for key in keys[:-1]}
        try:
            return [reverse(name, kwargs={**rest, **({last: value} if last else {})}) for value in known.get(last, [0])]
        except NoReverseMatch:
            continue
    raise AssertionError(f"{name} takes arguments that are not known here")


def models() -> list[Any]:
    return [model for model in site._registry if model.__module__.startswith("gateway") and model not in OF_NO_BOT]


def admin_pages(bot: Bot) -> Iterator[str]:
    for model in models():
        place = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        row = model.objects.get(pk=bot.pk) if model is Bot else model.objects.get(bot=bot)
        yield from (place, f"{place}add/", *(f"{place}{row.pk}/{what}/" for what in ("change", "history", "delete")))


@pytest.mark.parametrize("pages", [console_pages, admin_pages])
@pytest.mark.parametrize("asked", [{}, {"q": SOUGHT, "search": SOUGHT, "who": "bea", "action": "say"}])
def test_no_page_shows_anything_of_another_bot(ann: Client, theirs: Bot, pages: Any, asked: dict[str, str]) -> None:
    for page in pages(theirs):
        response = ann.get(page, asked)
        assert response.status_code in {200, *REFUSED}, page
        assert MARK not in response.content.decode(), page


@pytest.mark.parametrize("pages", [console_pages, admin_pages])
def test_what_is_looked_for_is_there(client: Client, theirs: Bot, pages: Any) -> None:
    """Else the test above would see nothing whatever it looked at."""
    client.force_login(User.objects.create_superuser("root"))
    shown = [page for page in pages(theirs) if MARK in client.get(page).content.decode()]
    assert len(shown) >= 6, shown


FORGED = {
    "shortcut": "x", "text": "forged", "number": "1", "days": "1", "name": "forged", "widget_origins": "https://evil.example",
    "operators": "", "watchers": "", "identity_secret": "f" * 40, "uploads": "on", "form": "", "form_fields": "[]",
    "post": "yes", "user": "", "id": "7",
}  # fmt: skip


def everything() -> dict[str, Any]:
    kept = (Bot, Contact, Conversation, Message, Reply, Announcement, Audit, WidgetOptions, Rating)
    rows = {model.__name__: list(model.objects.order_by("pk").values()) for model in kept}
    return rows | {"operators": list(Bot.operators.through.objects.order_by("pk").values())}


def test_no_form_changes_anything_of_another_bot(ann: Client, theirs: Bot) -> None:
    before = everything()
    mine = Bot.objects.get(name="mine")
    for page in [*console_pages(theirs), *admin_pages(theirs)]:
        for bot in (theirs.pk, mine.pk):
            ann.post(page, {**FORGED, "bot": bot, "bots": bot})
    after = everything()
    for name, rows in before.items():
        assert [row for row in after[name] if row in rows] == rows, name
        assert not [row for row in after[name] if row.get("bot_id") == theirs.pk and row not in rows], name


def test_nothing_is_made_for_another_bot(ann: Client, theirs: Bot) -> None:
    WidgetOptions.objects.all().delete()
    place, options = reverse("admin:gateway_web_widgetoptions_add"), {**FORGED, "bot": theirs.pk}
    assert ann.post(place, options).status_code == 200
    assert not WidgetOptions.objects.exists()
    assert ann.post(place, {**options, "bot": Bot.objects.get(name="mine").pk}).status_code == 302
    assert WidgetOptions.objects.get().bot.name == "mine"


def test_no_action_of_a_list_reaches_another_bots_rows(ann: Client, theirs: Bot) -> None:
    before = everything()
    for model in models():
        place = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        row = model.objects.get(pk=theirs.pk) if model is Bot else model.objects.get(bot=theirs)
        for action in ("delete_selected", "resend", "drop", "replay"):
            ann.post(place, {"action": action, "_selected_action": row.pk, "post": "yes"})
    assert everything() == before


def test_all_models_of_a_bot_are_looked_at() -> None:
    assert {model.__name__ for model in models()} == {
        "Bot", "Contact", "Conversation", "Message", "WidgetOptions", "Rating",
    }  # fmt: skip
    assert apps.get_model("gateway", "Node") is Node
