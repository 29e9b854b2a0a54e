"""The owners of the parts, as rows: who is there, who takes over from whom."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from gateway import node
from gateway.models import Node, Part
from gateway.parts import ALL
from gateway.transcript.group import Group, Wants

Owners = dict[int, int | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """`beats`, by node; `operators`: those whose sockets are open at other nodes, and how long ago that was seen;
    `parked`, by node: bots that must not call, and for how long from its beat on."""

    beats: dict[int, int]
    owners: Owners
    operators: list[tuple[int, float]]
    parked: dict[int, list[tuple[str, str, float]]]


def look(me: int) -> Seen:
    nodes = list(Node.objects.values_list("pk", "beat", "told"))
    owners: Owners = dict(Part.objects.values_list("number", "owner_id"))
    operators = [(user, ago) for pk, _, told in nodes if pk != me for user, ago in (told or {}).get("operators", ())]
    parked = {pk: told["parked"] for pk, _, told in nodes if pk != me and told and told.get("parked")}
    return Seen({pk: beat for pk, beat, _ in nodes}, owners, operators, parked)


def prepare() -> None:
    """All parts have their rows; whoever is first makes them."""
    Part.objects.bulk_create([Part(number=number) for number in sorted(ALL)], ignore_conflicts=True)


def claim_free(me: int) -> frozenset[int]:
    """Takes what nobody owns. Returns all that this process owns then."""
    Part.objects.filter(owner=None).update(owner=me)
    return frozenset(Part.objects.filter(owner=me).values_list("number", flat=True))


@dataclass(frozen=True, slots=True)
class Joined:
    """`dead`: processes of this machine that can be known to have ended, whose parts this one has now."""

    node: Node
    parts: frozenset[int]
    dead: list[int]


def join() -> Joined:
    """This process's row, and what it owns: what nobody else does, and what the dead of this machine left."""
    if not node.is_shared():
        mine, before = node.claim()
        return Joined(mine, ALL, [] if before is None else [before])
    mine = node.join()
    prepare()
    dead = []
    for other in Node.objects.exclude(pk=mine.pk):
        gone = other.slot == node.SLOT or node.is_dead(other.place)
        if gone and bury(other.pk, other.beat, mine.pk) is not None:
            dead.append(other.pk)
    return Joined(mine, claim_free(mine.pk), dead)


ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"


def bury(dead: int, beat: int, heir: int) -> frozenset[int] | None:
    """A node that has not moved since that beat is one no more, and its parts are the heir's. None: it has moved, or
    somebody else was first.

    One that stands still in the middle of a transaction keeps its row locked: its connection is ended.
    """
    if not Node.objects.filter(pk=dead, beat=beat).exists():
        return None
    with connection.cursor() as cursor:
        cursor.execute(ENDED, [node.name_of_connection(dead)])
    with transaction.atomic():
        found = Node.objects.select_for_update().filter(pk=dead, beat=beat).first()
        if found is None:
            return None
        parts = frozenset(Part.objects.filter(owner=dead).values_list("number", flat=True))
        Part.objects.filter(owner=dead).update(owner=heir)
        found.delete()
    return parts


def leave(me: int, heirs: Collection[int]) -> None:
    """A planned end: each of the heirs gets as much. Without any, the parts are nobody's."""
    with transaction.atomic():
        living = sorted(Node.objects.filter(pk__in=heirs).select_for_update(no_key=True).values_list("pk", flat=True))
        mine = sorted(Part.objects.filter(owner=me).values_list("number", flat=True))
        for place, heir in enumerate(living):
            Part.objects.filter(number__in=mine[place :: len(living)]).update(owner=heir)
        Node.objects.filter(pk=me).delete()


@dataclass(frozen=True, slots=True)
class Give:
    """Parts go to another process, behind all that this one has written of them. Returns whether they did."""

    numbers: frozenset[int]
    me: int
    to: int

    def needs(self, wants: Wants) -> None:
        """No conversation."""

    def apply(self, group: Group) -> bool:
        if not Node.objects.select_for_update(no_key=True).filter(pk=self.to).exists():
            return False
        mine: Any = Part.objects.filter(number__in=self.numbers, owner=self.me)
        return bool(mine.update(owner=self.to) == len(self.numbers))
