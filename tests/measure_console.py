"""How quick the console's list is with many open conversations: `DATABASE_URL=… python -m tests.measure_console 5000`.

It fills an empty database (a new SQLite file unless DATABASE_URL says otherwise) and asks for what a console asks for:
the first page, the last one, the four counts, a filter, and the search for people and for words.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

WORDS = 6
TIMES = 5
BATCH = 1000


def fill(number: int) -> Any:
    """Open conversations of three bots on two protocols, a tenth of them waiting, each with WORDS words."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from gateway.models import Bot, Contact, Conversation, Message

    now = timezone.now()
    bots = [Bot.objects.get_or_create(name=name)[0] for name in ("shop", "desk", "survey")]
    protocols = ("telegram", "webchat")
    people = Contact.objects.bulk_create(
        [
            Contact(bot=bots[n % 3], protocol=protocols[n % 2], external_id=str(n), name=f"Person {n}")
            for n in range(number)
        ],
        batch_size=BATCH,
    )
    places = Conversation.objects.bulk_create(
        [
            Conversation(
                bot=one.bot,
                protocol=one.protocol,
                key=f"measured {n}",
                contact=one,
                open=True,
                waiting=n % 10 == 0,
                waiting_since=now if n % 10 == 0 else None,
                deadline=None if n % 10 == 0 else now + timedelta(hours=1),
                last_at=now - timedelta(seconds=n),
                seq=WORDS,
                rev=WORDS,
            )
            for n, one in enumerate(people)
        ],
        batch_size=BATCH,
    )
    Message.objects.bulk_create(
        (
            Message(
                conversation=place,
                bot=place.bot,
                direction="in" if seq % 2 else "out",
                kind="message",
                sender="visitor" if seq % 2 else "bot",
                seq=seq,
                rev=seq,
                seen_rev=seq,
                text=f"some words of a usual length, number {seq}",
                payload={"text": "some words of a usual length"},
                status="done" if seq % 2 else "sent",
            )
            for place in places
            for seq in range(1, WORDS + 1)
        ),
        batch_size=BATCH,
    )
    return User.objects.create_superuser("measured")


def measure(what: str, ask: Callable[[], Any]) -> None:
    took = []
    for _ in range(TIMES):
        before = time.perf_counter()
        ask()
        took.append((time.perf_counter() - before) * 1000)
    print(f"{what}: {statistics.median(took):.1f} ms in the middle, {max(took):.1f} at worst")


def main(number: int) -> None:
    from django.core.management import call_command

    from gateway.access import rights_of
    from gateway.models import Conversation
    from gateway.web.listing import List, counts, page

    call_command("migrate", verbosity=0)
    user = fill(number)
    rights = rights_of(user)
    oldest = Conversation.objects.order_by("-last_at")[max(0, number - 60)]
    print(f"{number} open conversations, {number * WORDS} words, {TIMES} times each")
    measure("the first page, with counts", lambda: page(rights, user, List(id="1")))
    measure("the last page, with counts", lambda: page(rights, user, List(id="1", before=str(oldest.uuid))))
    measure("the four counts", lambda: counts(rights))
    measure("who waits at one bot", lambda: page(rights, user, List(id="1", state="waiting", bot="shop")))
    measure("a person", lambda: page(rights, user, List(id="1", search=f"Person {number - 1}")))
    measure("words that are everywhere", lambda: page(rights, user, List(id="1", search="usual length")))
    measure("words that are nowhere", lambda: page(rights, user, List(id="1", search="not there at all")))


if __name__ == "__main__":
    import django

    django.setup()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
