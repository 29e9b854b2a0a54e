"""The scope that an application gets: the keys of the chat dialect."""

from gateway.transcript import Begun
from gateway.types import Scope

SPEC_VERSION = "1.0"


def make_scope(protocol: str, bot: str, begun: Begun) -> Scope:
    person = begun.person
    return {
        "type": protocol,
        "asgi": {"version": "3.0", "spec_version": SPEC_VERSION},
        "path": f"/{bot}/",
        "bot": bot,
        "conversation": begun.uuid,
        # Telegram's ids are numbers, a web visitor's is a UUID; the column is text.
        "user_id": int(person.id) if person.id.isdecimal() else person.id or None,
        "name": person.name,
        "username": person.username,
        "language": person.language,
        "chat": {"id": None, "type": "", "title": "", "thread_id": None, **begun.chat},
        "user": begun.user,
        "session": begun.session,
        "resumed": begun.resumed,
    }
