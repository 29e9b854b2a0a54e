"""Hints as frames: who types, that an operator has come or gone, that the conversation was ended."""

import time
from collections import Counter

from gateway.post import Hint
from gateway.web import frames, options
from gateway.web.live import Live

Who = tuple[str, str]
"""Somebody's user name, and what they are called."""

ONLINE_SECONDS = 45.0
"""A console says that it is there every 20 s."""


class Whispers:
    """Hears the hints of one engine for the sockets of this process."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._seen: dict[tuple[bool, frozenset[str]], float] = {}
        self.watchers = Watchers()
        live.engine.ring.subscribe_hints(self._hear)

    def operators_are_online(self, bot: str) -> bool:
        """Somebody who may answer there: it is no help to a visitor that others are at work."""
        oldest = time.monotonic() - ONLINE_SECONDS
        return any(at > oldest and general != (bot in others) for (general, others), at in self._seen.items())

    def _hear(self, conversation: int, hint: Hint) -> None:
        kind = hint.get("kind")
        if kind == "seen":
            self._note_seen(hint)
        elif kind == "typing":
            self._show_typing(conversation, hint)
        elif kind == "here":
            self._show_watchers(conversation, hint)
        elif kind in ("holder", "ended") and self.live.readers(conversation, "public"):
            tell = self._tell_holder if kind == "holder" else self._tell_ended
            self.live.engine.spawn(tell(conversation))

    def _note_seen(self, hint: Hint) -> None:
        """By what they may, not by who they are: many have the same rights."""
        now = time.monotonic()
        self._seen = {rights: at for rights, at in self._seen.items() if now - at < ONLINE_SECONDS}
        self._seen[hint.get("general", True), frozenset(hint.get("others", ()))] = now

    def _show_typing(self, conversation: int, hint: Hint) -> None:
        sender, name, by = hint["from"], hint["name"], hint["by"]
        if not hint.get("unseen"):
            self._offer(conversation, "public", frames.typing(sender, name), by)
        self._offer(conversation, "all", frames.typing(sender, name, conversation=hint["uuid"]), by)

    def _show_watchers(self, conversation: int, hint: Hint) -> None:
        """To everybody who watches where it has changed; else to who has just come."""
        changed, came = self.watchers.note(conversation, hint)
        if not changed and not came:
            return
        present = self.watchers.of(conversation)
        text = frames.encode({"type": "present", "conversation": hint["uuid"], "operators": present})
        for reader in self.live.readers(conversation, "all"):
            if changed or reader.outlet.tag == hint["by"]:
                reader.outlet.offer_lightly(text)

    async def _tell_holder(self, conversation: int) -> None:
        self._offer(conversation, "public", frames.operator(await self.live.read(options.holder_of, conversation)))

    async def _tell_ended(self, conversation: int) -> None:
        rate = await self.live.read(options.asks_for_rating, conversation)
        self._offer(conversation, "public", frames.encode({"type": "ended", "rate": rate}))

    def _offer(self, conversation: int, view: str, text: str, by: str = "") -> None:
        for reader in self.live.readers(conversation, view):
            if not by or reader.outlet.tag != by:
                reader.outlet.offer_lightly(text)


class Watchers:
    """The operators who watch each conversation, in any process, by what they said of it lately."""

    def __init__(self) -> None:
        self._here: dict[int, Present] = {}

    def note(self, conversation: int, hint: Hint) -> tuple[bool, bool]:
        """Whether somebody has come or gone, and whether this socket has only just come."""
        present = self._here.setdefault(conversation, Present())
        before, known = set(present.people), hint["by"] in present.sockets
        present.remove(hint["by"])
        if not hint.get("gone"):
            present.add(hint["by"], (hint["user"], hint["name"]))
        present.remove_silent()
        if not present.sockets:
            del self._here[conversation]
        return before != set(present.people), not known and not hint.get("gone")

    def of(self, conversation: int) -> list[dict[str, str]]:
        """Each once, however many pages they have open."""
        present = self._here.get(conversation)
        people = dict(present.people.keys()) if present else {}
        return [{"user": user, "name": people[user]} for user in sorted(people)]


class Present:
    """The sockets that watch a conversation, longest silent first, and whose they are: a thousand pages may tell that
    they are still there."""

    def __init__(self) -> None:
        self.sockets: dict[str, tuple[Who, float]] = {}
        self.people: Counter[Who] = Counter()

    def add(self, socket: str, who: Who) -> None:
        self.sockets[socket] = who, time.monotonic()
        self.people[who] += 1

    def remove(self, socket: str) -> None:
        if socket in self.sockets:
            who, _ = self.sockets.pop(socket)
            self.people[who] -= 1
            if not self.people[who]:
                del self.people[who]

    def remove_silent(self) -> None:
        oldest = time.monotonic() - ONLINE_SECONDS
        while self.sockets and (first := next(iter(self.sockets))) and self.sockets[first][1] < oldest:
            self.remove(first)


_whispers: Whispers | None = None


def whispers_of(live: Live) -> Whispers:
    global _whispers
    if _whispers is None or _whispers.live is not live:
        _whispers = Whispers(live)
    return _whispers
