"""The writer's transactions on SQLite are not Django's own; what the ORM does within them holds as in `atomic`."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from gateway.models import Bot, Message
from gateway.transcript import statements
from gateway.transcript.sqlite import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def on_sqlite() -> Iterator[None]:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has them")
    yield
    assert not connection.in_atomic_block
    assert connection.get_autocommit()
    Bot.objects.create(name="afterwards")  # The connection is of use.


def bots() -> list[str]:
    return list(Bot.objects.order_by("name").values_list("name", flat=True))


def write(then: Callable[[], object]) -> None:
    with Transaction(connection):
        Bot.objects.create(name="a")
        then()


def fail() -> None:
    raise ZeroDivisionError


def test_what_is_written_within_is_there_together() -> None:
    with statements.database().transaction():
        Bot.objects.create(name="a")
        Bot.objects.get_or_create(name="b")
        assert connection.in_atomic_block
    connection.close()
    assert bots() == ["a", "b"]


def test_an_error_undoes_all() -> None:
    with pytest.raises(ZeroDivisionError):
        write(fail)
    assert bots() == []


def test_a_part_can_be_undone_alone() -> None:
    def once_more() -> None:
        with suppress(IntegrityError), transaction.atomic():
            Bot.objects.create(name="b")
            Bot.objects.create(name="a")

    write(once_more)
    assert bots() == ["a"]


def test_within_another_one_it_is_a_part() -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        with statements.database().transaction():
            Bot.objects.create(name="a")
        fail()
    assert bots() == []


def test_a_commit_that_is_refused_leaves_nothing() -> None:
    def orphan() -> None:  # The commit alone looks at that.
        Message.objects.create(conversation_id=7, bot_id=7, rev=1, direction="in")

    with pytest.raises(IntegrityError):
        write(orphan)
    assert bots() == []


def test_what_waits_for_the_commit_is_called_after_it_and_only_then() -> None:
    called: list[list[str]] = []
    write(lambda: transaction.on_commit(lambda: called.append(bots())))
    assert called == [["a"]]
    Bot.objects.all().delete()

    def wait_and_fail() -> None:
        transaction.on_commit(lambda: called.append([]))
        fail()

    with pytest.raises(ZeroDivisionError):
        write(wait_and_fail)
    assert called == [["a"]]


def test_what_is_undone_is_not_taken_for_written() -> None:
    with pytest.raises(TransactionManagementError):
        write(lambda: transaction.set_rollback(True))
    assert bots() == []


def test_a_connection_that_was_closed_within_is_made_anew() -> None:
    with pytest.raises((DatabaseError, TransactionManagementError)):
        write(connection.close)
    assert bots() == []
