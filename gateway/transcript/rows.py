"""The models' rows as the writer has them: the same attributes in slots, without what makes a model's instance dear.

A twin is made from its model's columns at import, so that a new column is in it by itself.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from django.contrib.auth import get_user_model
from django.db import models
from msgspec import defstruct, field

from gateway.models import Bot, Contact, Conversation, Message
from gateway.types import Person

if TYPE_CHECKING:

    class ConversationRow(Conversation):
        bot: Bot
        newcomer: "ContactRow | None"
        changed: set[str]
        written: Any
        stamp: str
        unsettled: set[int] | None
        person: Person | None

    class MessageRow(Message):
        begun: Any

    ContactRow = Contact


def _default(column: Any) -> Any:
    if column.has_default() and callable(column.default):
        return field(default_factory=column.default)
    return field(default=column.get_default())


def _twin(model: type[models.Model], **more: Any) -> Any:
    """`pk`, the other columns by their attributes' names, and `more`."""
    columns = [(_attribute(column), Any, _default(column)) for column in model._meta.concrete_fields]
    extra = [(name, Any, default) for name, default in more.items()]
    return defstruct(f"{model.__name__}Row", [*columns, *extra], eq=False)


def _attribute(column: Any) -> str:
    return "pk" if column.primary_key else str(column.attname)


if not TYPE_CHECKING:

    class ConversationRow(
        _twin(
            Conversation,
            bot=None,
            newcomer=None,
            changed=field(default_factory=set),
            written=None,
            stamp="",
            unsettled=None,
            person=None,
        ),
        eq=False,
    ):
        """`newcomer`: its contact, as long as that is new too. `changed`: columns to be written. `written`: what the
        group in hand has changed, as group.py's Written. `stamp`: what proves
        it current (PostgreSQL). `unsettled`: its inbound rows without an end state, None where nobody has asked.
        `person`: as Memory's `people`.

        `contact` and `holder` are the models', asked for anew each time: for what people do now and then.
        """

        state = Conversation.state

        @property
        def contact(self):
            return None if self.contact_id is None else Contact.objects.get(pk=self.contact_id)

        @property
        def holder(self):
            return None if self.holder_id is None else get_user_model().objects.get(pk=self.holder_id)

    # `begun`: what its feeding begins with, where it was taken in hand as it came.
    MessageRow = _twin(Message, conversation=None, begun=None)
    ContactRow = _twin(Contact)

R = TypeVar("R")
Codec = Callable[[Any], Any]
Codecs = dict[str, Codec]
"""By the name of a field's class, or CHOICE."""
CHOICE = "choice"


class Table(Generic[R]):
    """A model's table. `names` are its columns, the primary key first; `attributes` are their names in a row."""

    def __init__(self, model: type[models.Model], make: Callable[..., R]) -> None:
        self.model = model
        self.make = make
        self.name = model._meta.db_table
        self.fields: dict[str, Any] = {_attribute(column): column for column in model._meta.concrete_fields}
        self.attributes = tuple(self.fields)
        self.names = tuple(column.column for column in self.fields.values())
        self._decoders: list[tuple[int, Codec]] | None = None

    def row(self, values: Sequence[Any], decode: Codecs) -> R:
        """Of all columns, as the database gave them. A process has one database, so `decode` is always the same."""
        if self._decoders is None:
            self._decoders = self.codecs(decode, self.attributes)
        made = list(values)
        for place, codec in self._decoders:
            if made[place] is not None:
                made[place] = codec(made[place])
        return self.make(*made)

    def codecs(self, codecs: Codecs, attributes: Iterable[str]) -> list[tuple[int, Codec]]:
        """Which places of a row of these columns are not as the database has them, and what makes them so."""
        kinds = [_kind(self.fields[name]) for name in attributes]
        return [(place, codecs[kind]) for place, kind in enumerate(kinds) if kind in codecs]


class Change(NamedTuple):
    """New values of these columns; the last one in each row is its primary key."""

    table: Table[Any]
    names: tuple[str, ...]
    rows: Sequence[list[Any]]


def _kind(column: Any) -> str:
    return CHOICE if column.choices else type(column).__name__


CONVERSATIONS: Table[ConversationRow] = Table(Conversation, ConversationRow)
MESSAGES: Table[MessageRow] = Table(Message, MessageRow)
CONTACTS: Table[ContactRow] = Table(Contact, ContactRow)
