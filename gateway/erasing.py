"""A person is erased, old words are pruned: step by step, in short transactions, beside a gateway that goes on.

The steps are operations of the transcript. Whoever makes them (the gateway by its writer, a command by itself) sends
each one's result back into the generator.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from gateway import people
from gateway.erasure import Erasure
from gateway.models import Bookmark, Bot, Contact, Conversation, Message
from gateway.transcript.erasing import (
    EraseContact,
    EraseConversation,
    EraseRows,
    PruneLast,
    PruneRows,
    Scrub,
)  # fmt: skip
from gateway.writer import Operation, commit_here

Steps = Generator[Operation[Any], Any, dict[str, int]]
PRUNE = "prune"
PRUNE_EVERY = timedelta(days=1)


def ask(contact: Contact, who: str) -> Erasure:
    """A running gateway finds it within a second."""
    return Erasure.objects.create(contacts=list(people.same_person(contact).values_list("pk", flat=True)), who=who)


def waiting() -> list[Erasure]:
    return list(Erasure.objects.filter(done_at=None).order_by("pk"))


def conversations(erasure: Erasure) -> list[int]:
    return list(people.conversations_of(erasure.contacts).values_list("pk", flat=True))


def erasing(erasure: Erasure) -> Steps:
    """Begun anew after a crash it finds what is left. Returns what was erased, by kind."""
    contacts = list(Contact.objects.filter(pk__in=erasure.contacts))
    quoted, person = people.spoken_of(contacts), people.ids_of(contacts)
    found = {"contacts": len(contacts), "conversations": 0, "rows": 0, "quotes": 0}
    for conversation in conversations(erasure):
        while count := (yield EraseRows(conversation)):
            found["rows"] += count
        yield EraseConversation(conversation)
        found["conversations"] += 1
    for row in quoted:
        found["quotes"] += bool((yield Scrub(row, person)))
    for contact in contacts:
        yield EraseContact(contact.pk)
    return found


def finish(erasure: Erasure, found: dict[str, int]) -> None:
    Erasure.objects.filter(pk=erasure.pk).update(done_at=timezone.now(), found=found)


def erase_here(erasure: Erasure) -> None:
    """Where no gateway runs."""
    finish(erasure, run_here(erasing(erasure)))


# What is older than a bot keeps it


def pruning(now: datetime) -> Steps:
    found = {"rows": 0, "conversations": 0}
    for bot in Bot.objects.filter(retention_days__isnull=False).order_by("pk"):
        until = now - timedelta(days=bot.retention_days or 0)
        yield from _prune_rows(bot, until, found)
        yield from _prune_conversations(bot, until, found)
    return found


def _prune_rows(bot: Bot, until: datetime, found: dict[str, int]) -> Generator[Operation[Any], Any, None]:
    after: int | None = 0
    while after is not None:
        count, after = yield PruneRows(bot.pk, until, after)
        found["rows"] += count


def _prune_conversations(bot: Bot, until: datetime, found: dict[str, int]) -> Generator[Operation[Any], Any, None]:
    for conversation in silent(bot, until):
        if is_over(conversation):
            yield EraseConversation(conversation.pk)
            found["conversations"] += 1
        elif conversation.last:
            yield PruneLast(conversation.pk, until)


def silent(bot: Bot, until: datetime) -> list[Conversation]:
    return list(Conversation.objects.filter(bot=bot, last_at__lt=until).order_by("pk"))


def is_over(conversation: Conversation) -> bool:
    """Nobody talks there, waits for a human, or has it; nothing of it is on its way."""
    attended = conversation.open or conversation.waiting or conversation.holder_id is not None
    return not attended and not Message.objects.filter(conversation=conversation).exists()


def may_prune(now: datetime) -> bool:
    """Once a day: whoever asks first is the one."""
    mark, _ = Bookmark.objects.get_or_create(name=PRUNE)
    due = Q(at=None) | Q(at__lte=now - PRUNE_EVERY)
    return Bookmark.objects.filter(due, pk=mark.pk).update(at=now) == 1


def run_here(steps: Steps) -> dict[str, int]:
    """Makes each step in a transaction of its own, on this thread."""
    result = None
    try:
        while True:
            result = commit_here(steps.send(result))
    except StopIteration as end:
        found: dict[str, int] = end.value
        return found
