"""How long the dashboard takes over many rows: `DATABASE_URL=… python -m tests.measure_dashboard 1000000`.

It fills an empty database (a new SQLite file unless DATABASE_URL says otherwise), counts it as the gateway would, and
asks for the page. Processor seconds, since the machine may have other things to do.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

BATCH = 2000
DAYS = 90
CONVERSATIONS = 20_000


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.2f} s, of them {time.process_time() - cpu:.2f} s of this processor")


def fill(count: int) -> None:
    from django.utils import timezone

    from gateway.models import Bot, Conversation, Message

    bots = [Bot.objects.get_or_create(name=name)[0] for name in ("shop", "desk", "survey")]
    places = Conversation.objects.bulk_create(
        [
            Conversation(bot=bots[n % 3], protocol=("telegram", "webchat")[n % 2], key=f"measured {n}")
            for n in range(CONVERSATIONS)
        ],
        batch_size=BATCH,
    )
    seqs, chance, first = [0] * CONVERSATIONS, random.Random(1), timezone.now() - timedelta(days=DAYS)
    rows = []
    for number in range(count):
        index = chance.randrange(CONVERSATIONS) if number % 6 == 0 else index  # noqa: F821
        seqs[index] += 1
        came_in = number % 2 == 0
        rows.append(
            Message(
                conversation=places[index], bot_id=places[index].bot_id, direction="in" if came_in else "out",
                kind="message", sender="visitor" if came_in else chance.choice(("bot", "bot", "operator")),
                seq=seqs[index], rev=seqs[index], text="some words of a usual length, as people write them",
                method="message", at=first + timedelta(days=DAYS * number / count), payload={"text": "some words"},
                status="done" if came_in else "failed" if number % 400 == 1 else "sent", error="",
            )
        )  # fmt: skip
        if len(rows) == BATCH or number == count - 1:
            Message.objects.bulk_create(rows)
            rows.clear()


def main(count: int) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from gateway import counting

    call_command("migrate", verbosity=0)
    with timed(f"{count} rows written"):
        fill(count)
    total = 0
    with timed("counted"):
        while more := counting.count_on():
            total += more
    print(f"{total} rows counted")
    client = Client()
    client.force_login(User.objects.get_or_create(username="measured", is_staff=True, is_superuser=True)[0])
    for query in ("", "?period=1", "?period=90", "?period=365", "?bot=shop&period=90"):
        for _ in range(2):
            with timed(f"the page{query}"):
                assert client.get(f"/console/dashboard/{query}", headers={"host": "localhost"}).status_code == 200


if __name__ == "__main__":
    main(int(sys.argv[1]))
