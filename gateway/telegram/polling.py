"""Long polling: the offset moves when the rows are committed, and the poller never dies of what it meets."""

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

from gateway.errors import DeliveryError, Later, NotReady, Refused
from gateway.telegram import registration, updates
from gateway.telegram.answers import Conflict, InvalidToken, NotFound, NotTheApi, Unreadable
from gateway.telegram.backoff import Backoff
from gateway.telegram.bots import TelegramBot
from gateway.telegram.kinds import allowed_updates
from gateway.types import Inbound

if TYPE_CHECKING:
    from gateway.engine import Engine

log = logging.getLogger(__name__)
# A poll whose line has died unseen, or a pause, and the attempt after it: together less than half a minute.
POLL_SECONDS = 20
MARGIN_SECONDS = 8.0
LONGEST_PAUSE = 15.0
BATCH = 100
REFUSED_PAUSE = 30.0
NOT_READY_PAUSE = 5.0
CUT_OFF_PAUSE = 1.0
FIRST_UPDATE_ID = re.compile(rb'"update_id"\s*:\s*(\d{1,18})\b')
KEPT_OF_UNREADABLE = 64 * 1024


class Poller:
    """Of one bot. `malformed` counts entries that are no updates."""

    def __init__(self, bot: TelegramBot, engine: "Engine", backoff: Backoff | None = None) -> None:
        self.bot = bot
        self.engine = engine
        self.backoff = backoff or Backoff(longest=LONGEST_PAUSE)
        self.offset: int | None = None
        self.limit = BATCH
        self.malformed = 0
        self._webhook_gone = False
        self._accepting = False
        self._stopping = False
        self._allowed = allowed_updates(engine.methods("telegram", bot.name))

    async def run(self) -> None:
        """Until `stop`, or its task is cancelled."""
        while not self._stopping:
            # Cut off from the database, this process may have been taken for dead, and another polls now.
            pause = CUT_OFF_PAUSE if self.engine.may_be_dead else await self._guarded_round()
            if pause and not self._stopping:
                await self.bot.pause(pause)

    async def stop(self, task: "asyncio.Task[None]") -> None:
        """Cancels a poll under way, waits for a batch that is being accepted."""
        self._stopping = True
        if not self._accepting:
            task.cancel()
        await asyncio.wait([task])

    async def _guarded_round(self) -> float:
        """One round; seconds to pause after it."""
        try:
            await self._round()
        except (InvalidToken, NotFound) as error:
            self.bot.contact.failed(registration.invalid_token(error), urgent=True)
            return REFUSED_PAUSE
        except Conflict as error:
            return self._on_conflict(error)
        except NotTheApi as error:
            self.bot.contact.failed(str(error), urgent=True)
            return self.backoff.next()
        except NotReady as error:
            log.warning("Bot %r: its updates stay at Telegram for now: %s", self.bot.name, error)
            return min(self.backoff.next(), NOT_READY_PAUSE)
        except DeliveryError as error:
            self.bot.contact.failed(f"Polling does not get on: {error}")
            return self.backoff.next(error.seconds if isinstance(error, Later) else None)
        except Exception:
            # Whatever it was: a poller that is dead and says nothing is worse than one that tries again.
            log.exception("Bot %r: polling met what it did not expect", self.bot.name)
            return self.backoff.next()
        self.backoff.reset()
        return 0.0

    def _on_conflict(self, error: Conflict) -> float:
        self._webhook_gone = False
        self.bot.contact.failed(
            "Something else takes this bot's updates with the same token (409): "
            "there must be one gateway a token, and no other program."
        )
        return self.backoff.next(error.seconds)

    async def _round(self) -> None:
        self.bot.takes_new_token()
        if not self._webhook_gone:
            await self._remove_webhook()
        try:
            entries = await self._poll()
        except Unreadable as error:
            await self._pass_unreadable(error)
            return
        self.bot.contact.succeeded()
        if entries:
            await self._accept(self._updates(entries))
        self.limit = BATCH

    async def _remove_webhook(self) -> None:
        """Telegram answers no poll while a webhook is registered."""
        try:
            info = await registration.webhook_info(self.bot.client)
            if info.get("url"):
                log.warning("Bot %r: its webhook is removed, since TELEGRAM_WEBHOOK_URL is not set", self.bot.name)
                await registration.delete(self.bot.client)
        except InvalidToken:
            raise
        except Refused as error:
            log.warning("Bot %r: no word about its webhook: %s", self.bot.name, error)
        self._webhook_gone = True

    async def _poll(self) -> list[Any]:
        params: dict[str, Any] = {"timeout": POLL_SECONDS, "limit": self.limit, "allowed_updates": self._allowed}
        if self.offset is not None:
            params["offset"] = self.offset
        entries = await self.bot.client.call("get_updates", params, silence=POLL_SECONDS + MARGIN_SECONDS)
        if not isinstance(entries, list):
            raise Later("getUpdates gave back no list.")
        return entries

    def _updates(self, entries: list[Any]) -> list[Inbound]:
        parsed = [updates.parse(self.bot.name, entry) if isinstance(entry, dict) else None for entry in entries]
        batch = [inbound for inbound in parsed if inbound is not None and inbound.update_id is not None]
        for _ in range(len(entries) - len(batch)):
            self.malformed += 1
            log.error("Bot %r: an entry of getUpdates without a valid update_id is left out", self.bot.name)
        if not batch:
            raise Later("getUpdates gave back nothing that has an update_id.")
        return batch

    async def _accept(self, batch: list[Inbound]) -> None:
        """Raises NotReady, with the offset where it was: the same batch will be asked for again."""
        self._accepting = True
        try:
            await self.engine.accept(batch)
        finally:
            self._accepting = False
        self.offset = max(inbound.update_id or 0 for inbound in batch) + 1

    async def _pass_unreadable(self, error: Unreadable) -> None:
        """What cannot be read must not be asked for for ever: singled out, it is kept as a dead letter and passed."""
        found = FIRST_UPDATE_ID.search(error.body)
        if found is None:
            raise error
        if self.limit > 1:
            self.limit = 1
            return
        kept = error.body[:KEPT_OF_UNREADABLE].decode("utf-8", "replace")
        await self._accept([updates.dead_letter(self.bot.name, int(found[1]), kept)])
