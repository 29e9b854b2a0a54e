"""Conditions in the words of the partial indexes: SQLite takes such an index only where the query has its condition as
literals, and Django passes values as parameters."""

from django.db.models import BigIntegerField, BooleanField, F, Func

from gateway.models import FAILED, UNSETTLED, Status


def leaving() -> Func:
    """As the index message_outbox."""
    return _one_of((Status.QUEUED, Status.SENDING))


def failed() -> Func:
    """As the index message_failed."""
    return _one_of(FAILED)


def unsettled() -> Func:
    """As the index message_inbox."""
    return _one_of(UNSETTLED)


def _one_of(statuses: tuple[Status, ...]) -> Func:
    literals = ", ".join(f"'{status.value}'" for status in statuses)
    return Func(F("status"), template=f"%(expressions)s IN ({literals})", output_field=BooleanField())


def beside(name: str) -> Func:
    """A key's value that is compared after the rows were found: SQLite would else find them by it, which are many."""
    return Func(F(name), template="(+%(expressions)s)", output_field=BigIntegerField())
