"""The product's settings over a PostgreSQL that does every COMMIT of the writer and leaves every seventh unanswered."""

import itertools
import threading

import psycopg

from gateway.postgres.base import Connection
from tests.outside.settings import *  # noqa: F403

EVERY = 7
commits = itertools.count(1)
commit = Connection.commit


def commit_unanswered(self: Connection) -> None:
    commit(self)
    if threading.current_thread().name == "writer" and next(commits) % EVERY == 0:
        self.close()
        raise psycopg.OperationalError("the line was cut")


Connection.commit = commit_unanswered  # type: ignore[method-assign]
