"""What a staff user may do at which bot's conversations. Says nothing of who is staff."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q

from gateway.models import Bot, Grant, Role

PERMISSIONS = {
    "gateway.watch_conversations": Role.WATCH,
    "gateway.answer_conversations": Role.ANSWER,
    "gateway.lead_conversations": Role.LEAD,
    "gateway.administer_conversations": Role.ADMINISTER,
}


@dataclass(frozen=True, slots=True)
class Rights:
    """`general` holds at every bot that nobody was named for; at the others, by primary key, `named`."""

    general: Role = Role.ANSWER
    named: Mapping[int, Role] = field(default_factory=dict)

    def at(self, bot: int) -> Role:
        return self.named.get(bot, self.general)

    def may(self, role: Role, bot: int) -> bool:
        return self.at(bot) >= role

    def anywhere(self, role: Role) -> bool:
        """At some bot at least."""
        return max([self.general, *self.named.values()]) >= role

    def where(self, role: Role, bot: str = "bot") -> Q:
        """The rows of the bots at which they have that role. `bot`: the field's name in those rows."""
        if self.general >= role:
            return ~Q(**{f"{bot}__in": [pk for pk, had in self.named.items() if had < role]})
        return Q(**{f"{bot}__in": [pk for pk, had in self.named.items() if had >= role]})

    def hides_more_than(self, before: "Rights") -> bool:
        """Something that might be seen before may not be seen now."""
        pks = self.named.keys() | before.named.keys()
        return any(self.at(pk) < Role.WATCH <= before.at(pk) for pk in pks)


def rights_of(user: Any) -> Rights:
    """Superusers: everything. A bot with operators, watchers or groups of its own is theirs alone. Reads the database.

    At the others it goes by Django's permissions, by group or by user; a staff user without any of them answers.
    """
    if user.is_superuser:
        return Rights(Role.ADMINISTER)
    held = user.get_all_permissions()
    general = max((role for name, role in PERMISSIONS.items() if name in held), default=Role.ANSWER)
    return Rights(general, _named(user))


def _named(user: Any) -> dict[int, Role]:
    operators = Bot.operators.through.objects.filter(bot=OuterRef("pk"))
    watchers = Bot.watchers.through.objects.filter(bot=OuterRef("pk"))
    somebodys = Bot.objects.filter(
        Exists(operators) | Exists(watchers) | Exists(Grant.objects.filter(bot=OuterRef("pk")))
    )
    named = {}
    rows = somebodys.values_list("pk", Exists(operators.filter(user=user)), Exists(watchers.filter(user=user)))
    for pk, operates, watches in rows:
        named[pk] = Role.ANSWER if operates else Role.WATCH if watches else Role.NONE
    for pk, role in Grant.objects.filter(group__user=user).values_list("bot", "role"):
        named[pk] = max(named.get(pk, Role.NONE), Role(role))
    return named
