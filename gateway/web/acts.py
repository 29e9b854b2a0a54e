"""What an operator may ask of one conversation: the role that it takes, and what is done."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway import desk, hints
from gateway.access import Rights
from gateway.errors import Denied
from gateway.models import Role
from gateway.transcript.noting import name_of
from gateway.web import frames, operator_frames, person, rows
from gateway.web.frames import Frame
from gateway.web.rows import Place

if TYPE_CHECKING:
    from gateway.engine import Engine

LARGEST = 2**63 - 1


class Asked(NamedTuple):
    """`socket`: the tag of the socket that it came from."""

    engine: "Engine"
    user: Any
    rights: Rights
    place: Place
    frame: Any
    socket: str

    @property
    def leads(self) -> bool:
        return self.rights.may(Role.LEAD, self.place.bot)


async def take(asked: Asked) -> None:
    await asked.engine.take(asked.frame.conversation, asked.user)


async def release(asked: Asked) -> None:
    await asked.engine.release(asked.frame.conversation, asked.user)


async def say(asked: Asked) -> str:
    frame, seen = asked.frame, min(max(asked.frame.seen, 0), LARGEST)
    receipt = await asked.engine.say(frame.conversation, asked.user, client_id=frame.id, text=frame.text, seen=seen)
    return frames.ack(frame.id, receipt.seq, receipt.rev)


async def note(asked: Asked) -> str:
    frame = asked.frame
    receipt = await desk.note(asked.engine, frame.conversation, asked.user, client_id=frame.id, text=frame.text)
    return frames.ack(frame.id, receipt.seq, receipt.rev)


async def typing(asked: Asked) -> None:
    """Who has not taken the conversation over is seen typing by the other operators alone."""
    hint = hints.typing("operator", asked.frame.conversation, name=name_of(asked.user), by=asked.socket)
    asked.engine.ring.hint(asked.place.pk, {**hint, "unseen": asked.place.holder != asked.user.pk})


async def assign(asked: Asked) -> None:
    to = await asked.engine.read(person.colleague, asked.frame.to, asked.place.bot)
    await desk.assign(asked.engine, asked.frame.conversation, asked.user, to, force=asked.leads)


async def close(asked: Asked) -> None:
    await desk.close(asked.engine, asked.frame.conversation, asked.user, force=asked.leads)


async def ban(asked: Asked) -> None:
    await desk.ban(asked.engine, asked.frame.conversation, asked.user, lift=False)


async def unban(asked: Asked) -> None:
    await desk.ban(asked.engine, asked.frame.conversation, asked.user, lift=True)


async def tag(asked: Asked) -> str:
    await desk.tag(asked.engine, asked.frame.conversation, asked.user, asked.frame.tag, remove=False)
    return await card(asked)


async def untag(asked: Asked) -> str:
    await desk.tag(asked.engine, asked.frame.conversation, asked.user, asked.frame.tag, remove=True)
    return await card(asked)


async def mend(asked: Asked) -> str:
    """Sends again, drops or feeds again. The row as it is then goes to who asked, watching or not."""
    running, row = asked.engine, min(max(asked.frame.row, 0), LARGEST)
    mends = {frames.Resend: running.resend, frames.Drop: running.drop, frames.Replay: running.replay}
    await mends[type(asked.frame)](row, asked.user, conversation=asked.place.pk)
    return await running.read(rows.one_message, row, asked.frame.conversation)


async def history(asked: Asked) -> str:
    return await asked.engine.read(rows.history, asked.place.pk, asked.frame.conversation, asked.frame.before)


async def card(asked: Asked) -> str:
    return await asked.engine.read(person.card, asked.place.pk, asked.rights)


async def colleagues(asked: Asked) -> str:
    return await asked.engine.read(person.colleagues, asked.frame.conversation, asked.place.bot)


class Act(NamedTuple):
    """`shown`: afterwards everybody is shown the conversation as it is, also where nothing changed."""

    role: Role
    do: Callable[[Asked], Awaitable[str | None]]
    shown: bool = False


ACTS: dict[type[Frame], Act] = {
    operator_frames.History: Act(Role.WATCH, history),
    operator_frames.Person: Act(Role.WATCH, card),
    operator_frames.Colleagues: Act(Role.ANSWER, colleagues),
    frames.Take: Act(Role.ANSWER, take, shown=True),
    frames.Release: Act(Role.ANSWER, release, shown=True),
    frames.Say: Act(Role.ANSWER, say),
    frames.OperatorTyping: Act(Role.ANSWER, typing),
    operator_frames.Note: Act(Role.ANSWER, note),
    operator_frames.Assign: Act(Role.ANSWER, assign, shown=True),
    operator_frames.Close: Act(Role.ANSWER, close, shown=True),
    operator_frames.Tag: Act(Role.ANSWER, tag),
    operator_frames.Untag: Act(Role.ANSWER, untag),
    operator_frames.Ban: Act(Role.LEAD, ban, shown=True),
    operator_frames.Unban: Act(Role.LEAD, unban, shown=True),
    frames.Resend: Act(Role.ANSWER, mend),
    frames.Drop: Act(Role.ANSWER, mend),
    frames.Replay: Act(Role.ANSWER, mend),
}


def refuse(role: Role, rights: Rights, bot: int) -> None:
    """Raises Denied where the role at that bot is not enough. What may not be seen is as if it were not there."""
    if not rights.may(Role.WATCH, bot):
        raise Denied("unknown_conversation", "There is no such conversation.")
    if not rights.may(role, bot):
        raise Denied("forbidden", f"This is for those who {role.label} at this bot; you {rights.at(bot).label} there.")
