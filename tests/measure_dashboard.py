"""How long the dashboard takes over many rows: `DATABASE_URL=… python -m tests.measure_dashboard 1000000`.

It fills an empty database (a new SQLite file unless DATABASE_URL says otherwise), counts it as the gateway would, and
asks for the page. Processor seconds, since the machine may have other things to do.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
    """By the database itself: runs of six words, every other one a person's, in conversations taken by turns."""
    from django.db import connection

    from gateway.models import Bot, Conversation

    bots = [Bot.objects.get_or_create(name=name)[0] for name in ("shop", "desk", "survey")]
    if not Conversation.objects.exists():
        Conversation.objects.bulk_create(
            [
                Conversation(bot=bots[n % 3], protocol=("telegram", "webchat")[n % 2], key=f"measured {n}")
                for n in range(CONVERSATIONS)
            ],
            batch_size=BATCH,
        )
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS[connection.vendor] + INSERT.replace("MOMENT", MOMENT[connection.vendor]), [count, count])


NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < %s) ",
    "postgresql": "WITH numbers AS (SELECT generate_series(0, %s - 1) AS n) ",
}
MOMENT = {
    "sqlite": f"strftime('%%Y-%%m-%%d %%H:%%M:%%S', 'now', '-{DAYS} days', (n * {DAYS * 86400.0} / %s) || ' seconds')",
    "postgresql": f"now() - interval '{DAYS} days' + (n * {DAYS * 86400.0} / %s) * interval '1 second'",
}
INSERT = """
INSERT INTO gateway_message (conversation_id, bot_id, direction, kind, sender, name, at, seq, rev, seen_rev, text,
    method, payload, ref, parts, attempt, status, error, feedings, sends, unknowns, at_most_once, announcement)
SELECT c.id, c.bot_id, CASE n %% 2 WHEN 0 THEN 'in' ELSE 'out' END, 'message',
    CASE WHEN n %% 2 = 0 THEN 'visitor' WHEN n %% 3 = 0 THEN 'operator' ELSE 'bot' END, '', MOMENT, n, n, n,
    'some words of a usual length, as people write them', 'message', '{"text":"some words"}', '', '[]', 0,
    CASE WHEN n %% 400 = 1 THEN 'failed' WHEN n %% 2 = 0 THEN 'done' ELSE 'sent' END, '', 0, 0, 0, FALSE, FALSE
FROM numbers JOIN gateway_conversation c ON c.id = (SELECT min(id) FROM gateway_conversation) + (n / 6) * 7919 %% 20000
"""


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
