"""Hints: what is in no row of its own and nobody misses, told to whoever shows the conversation, in every process.

A hint is a small JSON dict with a `kind`: "typing" (`from`, `name`, `uuid`, `by`), "holder" (an operator has come or
gone: look who), "ended" (the scope was ended), "seen" (an operator's console is open; of no conversation; `general` and
`others`: at which bots they answer), "here" (an operator watches, or with `gone` does no more).
"""

from collections.abc import Iterable

from gateway.models import Direction, Message, Status
from gateway.post import Hint
from gateway.transcript import Group

TYPING_METHOD = "send_chat_action"
SHOWN = (Status.SENT, Status.QUEUED)
HOLDER: Hint = {"kind": "holder"}
ENDED: Hint = {"kind": "ended"}


def typing(sender: str, uuid: str, *, name: str = "", by: str = "") -> Hint:
    """`by`: the socket that it comes from, which does not hear of it."""
    return {"kind": "typing", "from": sender, "name": name, "uuid": uuid, "by": by}


def seen(*, general: bool, others: Iterable[str]) -> Hint:
    """`general`: whether they answer at any bot but the `others`; at those it is the other way round."""
    return {"kind": "seen", "general": general, "others": sorted(others)}


def here(uuid: str, *, user: str, name: str, by: str, gone: bool = False) -> Hint:
    """To be told again at least every 30 s, as long as it holds. `by`: the operator's socket."""
    return {"kind": "here", "uuid": uuid, "user": user, "name": name, "by": by, "gone": gone}


def of_group(group: Group) -> list[tuple[int, Hint]]:
    """What the rows of a group give a hint of."""
    found = [(pk, HOLDER) for pk in group.holders]
    for message in group.added:
        if message.method == TYPING_METHOD and message.direction == Direction.OUT and message.status in SHOWN:
            found.append((message.conversation_id, _bot_types(message)))
    return found


def _bot_types(message: Message) -> Hint:
    return typing("bot", str(message.conversation.uuid))
