"""Which bots' conversations a staff user may see, and answer. Says nothing of who is staff."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from gateway.models import Bot


@dataclass(frozen=True, slots=True)
class Rights:
    """By exception, in primary keys: a bot that nobody was named for is everybody's. Unseen ones are unanswered too."""

    unseen: frozenset[int] = frozenset()
    unanswered: frozenset[int] = frozenset()


def rights_of(user: Any) -> Rights:
    """Superusers: everything. Where a bot has operators or watchers, it is theirs alone. Reads the database."""
    if user.is_superuser:
        return Rights()
    operators = Bot.operators.through.objects.filter(bot=OuterRef("pk"))
    watchers = Bot.watchers.through.objects.filter(bot=OuterRef("pk"))
    named = Bot.objects.filter(Exists(operators) | Exists(watchers))
    rows = named.values_list("pk", Exists(operators.filter(user=user)), Exists(watchers.filter(user=user)))
    unanswered = {pk: watches for pk, operates, watches in rows if not operates}
    return Rights(frozenset(pk for pk, watches in unanswered.items() if not watches), frozenset(unanswered))
