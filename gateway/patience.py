"""How long a thread waits for a word from the database before it gives its connection up.

A server that is frozen keeps its connections: the kernel still acknowledges what is sent, so neither a time-out of the
server's nor one of the network's ends the wait. Bots' own questions may take as long as they like.
"""

import threading

from gateway.bot_tasks import of_a_bot

AWAY_SECONDS = 2.0

_of_thread = threading.local()
_away = threading.Event()


def of_this_thread(seconds: float) -> None:
    """From now on nothing that this thread asks takes longer."""
    _of_thread.seconds = seconds


def note(*, away: bool) -> None:
    """Whether the database answers nobody just now. Then no other thread waits for it any longer either."""
    if away:
        _away.set()
    else:
        _away.clear()


def is_over(waited: float) -> bool:
    """Whether this thread has waited too long. `waited`: seconds."""
    if waited > getattr(_of_thread, "seconds", float("inf")):
        return True
    return _away.is_set() and waited > AWAY_SECONDS and not of_a_bot.get()
