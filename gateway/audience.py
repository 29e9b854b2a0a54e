"""Who is to hear an announcement: conversations by bot, protocol, language, tag and when they had their last word."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import Q, QuerySet

from gateway.models import Conversation

# The key of a conversation begins with its chat's; see types.Move.
CHAT_ENDS = "/"
AFTER_CHAT = "0"


@dataclass(frozen=True, slots=True)
class Audience:
    """`bots` are primary keys; "" and None: any. `language` "pt" is also "pt-br"'s. `since`: had a word since then."""

    bots: tuple[int, ...]
    protocol: str = ""
    language: str = ""
    tag: str = ""
    since: datetime | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        since = stored.get("since")
        moment = datetime.fromisoformat(since) if since else None
        traits = {name: stored.get(name, "") for name in ("protocol", "language", "tag")}
        return cls(tuple(stored["bots"]), since=moment, **traits)

    def stored(self) -> dict[str, Any]:
        """As JSON, for the announcement's row."""
        return {**asdict(self), "bots": list(self.bots), "since": self.since.isoformat() if self.since else None}

    def conversations(self) -> QuerySet[Conversation]:
        """Nobody's who has blocked the bot, and none in which we would speak for a person's own account."""
        found = Conversation.objects.filter(bot_id__in=self.bots, contact__blocked_at__isnull=True)
        found = found.exclude(address__contains='"business_connection_id"')
        if self.protocol:
            found = found.filter(protocol=self.protocol)
        if self.language:
            spoken = Q(contact__language__iexact=self.language)
            found = found.filter(spoken | Q(contact__language__istartswith=f"{self.language}-"))
        if self.tag:
            found = found.filter(contact__tags__name=self.tag)
        return found.filter(last_at__gte=self.since) if self.since else found

    def count(self) -> int:
        """How many places it is. A group has a conversation for each member who wrote, and is one place."""
        found = self.conversations()
        of_their_own = found.filter(address={}).count()
        return of_their_own + found.exclude(address={}).values("bot", "protocol", "address").distinct().count()


def place_mates(conversation: Conversation) -> QuerySet[Conversation]:
    """The conversations that are in the very same place, this one among them."""
    if not conversation.address:
        return Conversation.objects.filter(pk=conversation.pk)
    chat = conversation.key.partition(CHAT_ENDS)[0]
    same = Conversation.objects.filter(bot_id=conversation.bot_id, protocol=conversation.protocol)
    return same.filter(key__gte=chat, key__lt=chat + AFTER_CHAT, address=conversation.address)
