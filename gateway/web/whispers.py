"""Hints as frames: who types, that an operator has come or gone, that the conversation was ended."""

import time

from gateway.post import Hint
from gateway.web import frames, options
from gateway.web.live import Live

ONLINE_SECONDS = 45.0
"""A console says that it is there every 20 s."""


class Whispers:
    """Hears the hints of one engine for the sockets of this process."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._seen = float("-inf")
        self.watchers = Watchers()
        live.engine.ring.subscribe_hints(self._hear)

    @property
    def operators_are_online(self) -> bool:
        return time.monotonic() - self._seen < ONLINE_SECONDS

    def _hear(self, conversation: int, hint: Hint) -> None:
        kind = hint.get("kind")
        if kind == "seen":
            self._seen = time.monotonic()
        elif kind == "typing":
            self._show_typing(conversation, hint)
        elif kind == "here":
            self._show_watchers(conversation, hint)
        elif kind in ("holder", "ended") and self.live.readers(conversation, "public"):
            tell = self._tell_holder if kind == "holder" else self._tell_ended
            self.live.engine.spawn(tell(conversation))

    def _show_typing(self, conversation: int, hint: Hint) -> None:
        sender, name, by = hint["from"], hint["name"], hint["by"]
        if not hint.get("unseen"):
            self._offer(conversation, "public", frames.typing(sender, name), by)
        self._offer(conversation, "all", frames.typing(sender, name, conversation=hint["uuid"]), by)

    def _show_watchers(self, conversation: int, hint: Hint) -> None:
        """To everybody who watches where it has changed; else to who has just come."""
        changed = self.watchers.note(conversation, hint)
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
        self._here: dict[int, dict[str, tuple[str, str, float]]] = {}

    def note(self, conversation: int, hint: Hint) -> bool:
        """Whether somebody has come or gone."""
        before, now = self.of(conversation), time.monotonic()
        sockets = self._here.setdefault(conversation, {})
        if hint.get("gone"):
            sockets.pop(hint["by"], None)
        else:
            sockets[hint["by"]] = hint["user"], hint["name"], now
        kept = {by: seen for by, seen in sockets.items() if now - seen[2] < ONLINE_SECONDS}
        self._here[conversation] = kept
        if not kept:
            del self._here[conversation]
        return self.of(conversation) != before

    def of(self, conversation: int) -> list[dict[str, str]]:
        """Each once, however many pages they have open."""
        people = {user: name for user, name, _ in self._here.get(conversation, {}).values()}
        return [{"user": user, "name": people[user]} for user in sorted(people)]


_whispers: Whispers | None = None


def whispers_of(live: Live) -> Whispers:
    global _whispers
    if _whispers is None or _whispers.live is not live:
        _whispers = Whispers(live)
    return _whispers
