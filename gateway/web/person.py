"""The card beside a conversation: who is talking, as far as we know. Runs on a reader's thread."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from gateway.access import Rights, rights_of
from gateway.errors import Denied
from gateway.models import Bot, Contact, Conversation, Kind, Message, Reply, Role, Sender
from gateway.web import rows
from gateway.web.frames import encode

OTHERS = 20
NOTES = 10
MOST_COLLEAGUES = 200
MOST_REPLIES = 500


def card(conversation: int, rights: Rights) -> str:
    row = Conversation.objects.select_related("contact__user", "bot").get(pk=conversation)
    more = {} if row.contact is None else _known(row.contact)
    theirs = _theirs(row, rights)
    return encode(
        {
            "type": "person",
            "conversation": str(row.uuid),
            "protocol": row.protocol,
            "bot": row.bot.name,
            "chat": {key: row.chat.get(key) for key in ("type", "title") if row.chat.get(key)},
            **more,
            "others": rows.frames_of(theirs.exclude(pk=row.pk).order_by("-last_at")[:OTHERS]),
            "notes": _notes(row, theirs),
        }
    )


def _known(contact: Contact) -> dict[str, Any]:
    return {
        "name": contact.name,
        "username": contact.username,
        "language": contact.language,
        "number": contact.external_id,
        "account": contact.user.get_username() if contact.user else None,
        "banned": contact.banned_at,
        "blocked": contact.blocked_at,
        "tags": [tag.name for tag in contact.tags.all()],
        "details": contact.details,
    }


def _theirs(row: Conversation, rights: Rights) -> Any:
    """The person's conversations, also those under another name that is linked to the same account."""
    same = Q(pk=row.pk)
    if row.contact is not None:
        same |= Q(contact=row.contact)
        if row.contact.user_id is not None:
            same |= Q(contact__user=row.contact.user_id)
    return Conversation.objects.filter(same, rights.where(Role.WATCH))


def _notes(row: Conversation, theirs: Any) -> list[dict[str, Any]]:
    notes = Message.objects.filter(conversation__in=theirs, kind=Kind.NOTE, sender=Sender.OPERATOR)
    return [
        {"row": note.pk, "name": note.name, "text": note.text, "at": note.at} for note in notes.order_by("-pk")[:NOTES]
    ]


def colleagues(uuid: str, bot: int) -> str:
    """Everybody who may answer at that bot."""
    staff = _staff().order_by("username")[:MOST_COLLEAGUES]
    found = [
        {"user": user.get_username(), "name": user.get_full_name()}
        for user in staff
        if rights_of(user).may(Role.ANSWER, bot)
    ]
    return encode({"type": "colleagues", "conversation": uuid, "colleagues": found})


def colleague(name: str, bot: int) -> Any:
    """Raises Denied where nobody of that name may answer at that bot."""
    user = _staff().filter(username=name).first()
    if user is None or not rights_of(user).may(Role.ANSWER, bot):
        raise Denied("nobody", "Nobody of that name may answer this bot's conversations.")
    return user


def _staff() -> Any:
    return get_user_model().objects.filter(is_active=True, is_staff=True)


def replies(rights: Rights) -> str:
    usable = Reply.objects.filter(Q(bot=None) | rights.where(Role.WATCH)).select_related("bot")[:MOST_REPLIES]
    found = [{"shortcut": one.shortcut, "text": one.text, "bot": one.bot.name if one.bot else None} for one in usable]
    return encode({"type": "replies", "replies": found})


def rights_frame(rights: Rights) -> str:
    """The operator's own roles, for a page that offers what may be done. Every action asks anew."""
    names = dict(Bot.objects.filter(pk__in=rights.named).values_list("pk", "name"))
    named = {names[pk]: role.label for pk, role in rights.named.items() if pk in names and role}
    return encode({"type": "rights", "general": rights.general.label, "bots": named})
