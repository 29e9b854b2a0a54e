"""What operators do beside taking, answering and handing back: each is one operation, and what follows from it.

All raise Denied with the admin socket's code, and NotReady.
"""

from typing import TYPE_CHECKING, Any

from gateway import queries
from gateway.transcript import Assign, Ban, Close, Note, TagPerson
from gateway.types import Receipt

if TYPE_CHECKING:
    from gateway.engine import Engine


async def note(engine: "Engine", uuid: str, user: Any, *, client_id: str, text: str) -> Receipt:
    """Keeps a note that only operators see. The same `client_id` of the same user again keeps nothing more."""
    receipt = await engine.submit(Note(uuid, user, f"n:{user.pk}:{client_id}", text))
    return receipt()


async def assign(engine: "Engine", uuid: str, user: Any, to: Any, *, force: bool) -> None:
    """`to` holds it from now on. `force`: also where somebody else has it."""
    pk = await engine.submit(Assign(uuid, user, to, force))
    engine.deadlines.clear(pk)


async def close(engine: "Engine", uuid: str, user: Any, *, force: bool) -> None:
    """Ends it: nobody holds it, waits or is fed any more, until the next word. `force`: also where another has it."""
    pk = await engine.submit(Close(uuid, user, force))
    await end_scope(engine, pk)


async def ban(engine: "Engine", uuid: str, user: Any, *, lift: bool) -> None:
    """The person's words are kept and never fed, in any of their conversations with this bot; open scopes end."""
    pks = await engine.submit(Ban(uuid, user, lift))
    for pk in pks if not lift else ():
        await end_scope(engine, pk)


async def tag(engine: "Engine", uuid: str, user: Any, name: str, *, remove: bool) -> None:
    await engine.submit(TagPerson(uuid, user, name, remove))


async def end_scope(engine: "Engine", pk: int) -> None:
    lane = engine.lanes.known(pk) or engine.lanes.get(await engine.read(queries.by_pk, pk))
    await lane.end("closed")
