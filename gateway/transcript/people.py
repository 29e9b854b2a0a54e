"""What operators say of a person: banned or not, and the tags they have."""

from typing import Any

from msgspec import Struct

from gateway import audit
from gateway.errors import Denied
from gateway.fields import clean
from gateway.models import Contact, Conversation, Tag
from gateway.transcript.group import Group, Wants, wanted
from gateway.transcript.noting import add_note, name_of

MOST_TAGS = 20
TAG_CHARACTERS = 40


def contact_of(conversation: Conversation) -> Contact:
    if conversation.contact is None:
        raise Denied("nobody", "This conversation belongs to a place, not to a person.")
    return conversation.contact


class Ban(Struct, frozen=True):
    """From now on the words of the conversation's person are kept and never fed; with `lift`, fed again.

    Returns the person's conversations.
    """

    uuid: str
    user: Any
    lift: bool = False

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> list[int]:
        contact = contact_of(wanted(group, self.uuid))
        pks = list(Conversation.objects.filter(contact=contact).order_by("pk").values_list("pk", flat=True))
        if (contact.banned_at is None) is self.lift:
            return pks
        group.alter(contact, banned_at=None if self.lift else group.now)
        action = "unban" if self.lift else "ban"
        for pk in pks:
            conversation = group.conversation(pk)
            group.alter(conversation, banned=not self.lift, waiting=False, waiting_since=None)
            text = f"{name_of(self.user)} {'lifted the ban' if self.lift else 'banned this person'}."
            add_note(group, conversation, text, self.user, method=action)
        audit.record(self.user, action, conversation=wanted(group, self.uuid))
        return pks


class TagPerson(Struct, frozen=True):
    """The conversation's person gets a tag, or loses it."""

    uuid: str
    user: Any
    tag: str
    remove: bool = False

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> None:
        conversation = wanted(group, self.uuid)
        contact, name = contact_of(conversation), tidy(self.tag)
        known = Tag.objects.filter(name=name).first()
        if self.remove:
            if known is None or not contact.tags.filter(pk=known.pk).exists():
                return
            contact.tags.remove(known)
        else:
            if contact.tags.filter(name=name).exists():
                return
            if contact.tags.count() >= MOST_TAGS:
                raise Denied("too_many", f"A person has at most {MOST_TAGS} tags.")
            contact.tags.add(known or Tag.objects.get_or_create(name=name)[0])
        audit.record(self.user, "untag" if self.remove else "tag", conversation=conversation, detail={"tag": name})
        for pk in Conversation.objects.filter(contact=contact).order_by("pk").values_list("pk", flat=True):
            theirs = group.conversation(pk)
            group.advance(theirs)


def tidy(name: str) -> str:
    """A tag as it is kept: lower case, single spaces. Raises Denied where nothing is left, or too much."""
    tidied = " ".join(clean(name).lower().split())
    if not tidied or len(tidied) > TAG_CHARACTERS or not tidied.isprintable():
        raise Denied("bad_tag", f"A tag has 1 to {TAG_CHARACTERS} visible characters.")
    return tidied
