"""`/console/nodes/`: the processes that are this gateway, and what each of them has to do."""

from collections import Counter
from datetime import timedelta
from typing import Any, NamedTuple, cast

from django.db.models import Count
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from gateway.models import Conversation, Node, Part, Role
from gateway.parts import PARTS
from gateway.web.console import ConsoleRequest, for_operators, show

SILENT_AFTER = timedelta(seconds=5)
"""The others take a process for dead that has not moved for a little longer."""


class Shown(NamedTuple):
    """`told`: what it last said of itself. `ago`: seconds since its last beat; None: it has not beaten yet."""

    node: Node
    told: dict[str, Any]
    ago: float | None
    parts: int
    open: int

    @property
    def alive(self) -> bool:
        return self.ago is not None and self.ago <= SILENT_AFTER.total_seconds()

    @property
    def share(self) -> float:
        return 100 * self.parts / PARTS


@require_safe
@for_operators(Role.LEAD)
def nodes_page(request: HttpRequest) -> HttpResponse:
    nodes, unowned = found()
    return show(cast("ConsoleRequest", request), "switchboard/nodes.html", nodes=nodes, unowned=unowned, all=PARTS)


def found() -> tuple[list[Shown], int]:
    """The nodes, and how many parts nobody has. Both moments are the database's, so that no clocks are compared."""
    owners = dict(Part.objects.values_list("number", "owner_id"))
    nodes = list(Node.objects.annotate(now=Now()).order_by("started_at", "pk"))
    if not owners and len(nodes) == 1:  # Where there can be one process only, all is its own.
        owners = dict.fromkeys(range(PARTS), nodes[0].pk)
    parts, opened = Counter(owners.values()), Counter[int | None]()
    for part, count in Conversation.objects.filter(open=True).values_list("part").annotate(Count("pk")).order_by():
        opened[owners.get(part)] += count
    shown = [Shown(node, node.told or {}, _ago(node), parts[node.pk], opened[node.pk]) for node in nodes]
    return shown, PARTS - sum(node.parts for node in shown)


def _ago(node: Any) -> float | None:
    return None if node.beaten_at is None else max((node.now - node.beaten_at).total_seconds(), 0.0)
