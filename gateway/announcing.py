"""An announcement from its draft to its report. What it reads and asks of the rows; announcer.py makes it go on."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from gateway import indexed
from gateway.announcement import Announcement, AnnouncementState
from gateway.audience import Audience, place_mates
from gateway.errors import Unsendable
from gateway.models import Conversation, Message, Status
from gateway.protocols import ProtocolServer, find_protocols
from gateway.transcript.announcing import Cancel, Pause, Resume, Slice, on_hold
from gateway.transcript.saying import IMMEDIATE
from gateway.writer import commit_here

SLICE_ROWS = 50
RATE_SECONDS = 60
SHOWN_REASONS = 20
ONE_PERSONS = ("private", "web", "")
"""Kinds of chats in which there is one conversation only."""

Protocols = Mapping[str, type[ProtocolServer] | ProtocolServer]


def draft(text: str, audience: Audience, author: Any = None) -> Announcement:
    """Counted, and not said to anybody before it is confirmed."""
    counted = audience.count()
    return Announcement.objects.create(text=text, audience=audience.stored(), author=author, counted=counted)


def confirm(announcement: Announcement) -> bool:
    """Lets a draft go, once: False where it is none any more."""
    cursors = {str(bot): 0 for bot in announcement.audience["bots"]}
    found = Announcement.objects.filter(pk=announcement.pk, state=AnnouncementState.DRAFT)
    started = {"state": AnnouncementState.RUNNING, "cursors": cursors, "started_at": timezone.now()}
    return found.update(**started) == 1


TURNS = {"pause": Pause, "resume": Resume, "cancel": Cancel}


def turn(action: str, announcement: int, who: str) -> bool:
    """Pauses, resumes or cancels, from any process. False where its state does not allow that (any more)."""
    IMMEDIATE.update(protocol.scope_type for protocol in find_protocols() if protocol.immediate)
    return commit_here(TURNS[action](announcement, who))


def compose_for(text: str, protocols: Protocols, conversation: Conversation) -> Any:
    """What is said there; None where the protocol is not of this gateway. Raises Unsendable."""
    protocol = protocols.get(conversation.protocol)
    if protocol is None:
        return None
    return protocol.compose("send_message", {"text": text}, address=conversation.address, event=None)


def refusal(text: str, audience: Audience) -> str:
    """Why it cannot be said to them, on the first of each protocol; "" where it can."""
    protocols = {protocol.scope_type: protocol for protocol in find_protocols()}
    for name, protocol in protocols.items():
        first = audience.conversations().filter(protocol=name).first()
        try:
            outbound = compose_for(text, {name: protocol}, first) if first is not None else None
        except Unsendable as error:
            return str(error)
        if outbound is not None and outbound.error:
            return str(outbound.error)
    return ""


# For the announcer


def claim(node: int) -> list[Announcement]:
    """Those that this process runs: its own, and those that nobody runs."""
    running = Announcement.objects.filter(state=AnnouncementState.RUNNING)
    running.filter(runner=None).update(runner=node)
    return list(running.filter(runner=node).order_by("pk"))


def astray() -> list[Announcement]:
    """Paused or cancelled ones of which a row is queued: its send was under way then, and is to be tried again."""
    stopped = (AnnouncementState.PAUSED, AnnouncementState.CANCELLED)
    leaving = Message.objects.filter(indexed.leaving(), status=Status.QUEUED, announced__state__in=stopped)
    return list(Announcement.objects.filter(pk__in=leaving.values("announced")).select_related("author"))


def leaving(announcement: int) -> dict[int, int]:
    """How many rows of each bot are on their way."""
    found = Message.objects.filter(indexed.leaving(), announced=announcement).order_by().values("bot_id")
    return dict(found.annotate(rows=Count("pk")).values_list("bot_id", "rows"))


def next_slice(announcement: Announcement, bot: int, after: int, protocols: Protocols) -> Slice:
    """The next conversations of a bot that are to hear it. Raises Unsendable."""
    audience = Audience.of(announcement.audience)
    found = audience.conversations().filter(bot=bot, pk__gt=after).order_by("pk").select_related("bot")
    conversations = list(found[:SLICE_ROWS])
    known: set[str] = set()
    heard = [one for one in conversations if not _has_heard(announcement.pk, one, known)]
    composed = [(one.pk, compose_for(announcement.text, protocols, one)) for one in heard]
    last = conversations[-1].pk if len(conversations) == SLICE_ROWS else None
    return Slice(tuple((pk, outbound) for pk, outbound in composed if outbound is not None), last)


def _has_heard(announcement: int, conversation: Conversation, known: set[str]) -> bool:
    """A group is told once, in whichever member's conversation comes first; `known`: the groups of this slice."""
    if not conversation.address or conversation.chat.get("type", "") in ONE_PERSONS:
        return False
    place = f"{conversation.protocol} {sorted(conversation.address.items())}"
    heard = place in known
    known.add(place)
    mates = place_mates(conversation).values("pk")
    return heard or Message.objects.filter(announced=announcement, conversation__in=mates).exists()


def finish(announcement: int) -> None:
    """All have their rows, and no row is on its way any more."""
    running = Announcement.objects.filter(pk=announcement, state=AnnouncementState.RUNNING)
    running.update(state=AnnouncementState.DONE, ended_at=timezone.now(), runner=None)


def fail(announcement: int, why: str) -> None:
    running = Announcement.objects.filter(pk=announcement, state=AnnouncementState.RUNNING)
    running.update(state=AnnouncementState.CANCELLED, failure=why, ended_at=timezone.now(), runner=None)


# What became of it


@dataclass(frozen=True, slots=True)
class Report:
    """`total`: rows written, and how many are still to come. `seconds_left`: None where nothing can be said yet."""

    total: int
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    dropped: int = 0
    held: int = 0
    queued: int = 0
    a_second: float = 0.0
    seconds_left: float | None = None
    reasons: list[tuple[str, int]] = field(default_factory=list)

    @property
    def settled(self) -> int:
        return self.sent + self.failed + self.unknown + self.dropped

    @property
    def percent(self) -> int:
        return min(100, self.settled * 100 // self.total) if self.total else 100


def report(announcement: Announcement, now: datetime) -> Report:
    rows = Message.objects.filter(announced=announcement.pk)
    counts: Counter[str] = Counter()
    for status, count in rows.order_by().values_list("status").annotate(Count("pk")):
        counts[status] = count
    held = on_hold(announcement.pk).count() if counts[Status.NOTE] else 0
    total = announcement.written if _is_over(announcement) else max(announcement.counted, announcement.written)
    a_second = _rate(announcement, now)
    settled = sum(counts[status] for status in (Status.SENT, Status.FAILED, Status.UNKNOWN, Status.NOTE)) - held
    running = announcement.state == AnnouncementState.RUNNING
    return Report(
        total=total,
        sent=counts[Status.SENT],
        failed=counts[Status.FAILED],
        unknown=counts[Status.UNKNOWN],
        dropped=counts[Status.NOTE] - held,
        held=held,
        queued=counts[Status.QUEUED] + counts[Status.SENDING],
        a_second=a_second,
        seconds_left=(total - settled) / a_second if running and a_second else None,
        reasons=_reasons(announcement.pk) if counts[Status.FAILED] or counts[Status.UNKNOWN] else [],
    )


def _is_over(announcement: Announcement) -> bool:
    return announcement.is_written or announcement.state == AnnouncementState.CANCELLED


def _rate(announcement: Announcement, now: datetime) -> float:
    """Rows a second that were settled in the last minute."""
    if announcement.started_at is None:
        return 0.0
    since = max(announcement.started_at, now - timedelta(seconds=RATE_SECONDS))
    settled = Message.objects.filter(announced=announcement.pk, settled_at__gte=since).count()
    return settled / max((now - since).total_seconds(), 1.0)


def _reasons(announcement: int) -> list[tuple[str, int]]:
    found = Message.objects.filter(announced=announcement, status__in=(Status.FAILED, Status.UNKNOWN))
    counted = found.order_by().values("error").annotate(rows=Count("pk")).order_by("-rows", "error")
    return [(one["error"] or "no reason given", one["rows"]) for one in counted[:SHOWN_REASONS]]
