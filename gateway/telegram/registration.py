"""The webhook at Telegram's side: registered where it differs, watched, never removed at a stop."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gateway.errors import DeliveryError, Later
from gateway.telegram.answers import InvalidToken, NotFound, NotTheApi
from gateway.telegram.backoff import Backoff
from gateway.telegram.bots import TelegramBot, webhook_secret, webhook_url

if TYPE_CHECKING:
    from gateway.telegram.client import Client

log = logging.getLogger(__name__)
WATCH_SECONDS = 30.0
REFUSED_PAUSE = 30.0
LONGEST_PAUSE = 15.0
CONNECTIONS = 100


def invalid_token(error: DeliveryError) -> str:
    """404 is Telegram's word for a token that never was one, and any server's for an address that is not its own."""
    address = " or TELEGRAM_API_URL is not its address" if isinstance(error, NotFound) else ""
    return (
        f"Telegram refuses the token{address} ({error}). Take a valid one from @BotFather: from the file that "
        "TELEGRAM_BOT_TOKEN_FILE or TELEGRAM_BOTS_FILE names it is used at once, from TELEGRAM_BOT_TOKEN or "
        "TELEGRAM_BOTS after the next start."
    )


async def webhook_info(client: "Client") -> dict[str, Any]:
    """Raises Refused, Later or Unknown."""
    info = await client.call("get_webhook_info")
    if not isinstance(info, dict):
        raise Later("getWebhookInfo gave back no object.")
    return info


async def register(client: "Client", bot: str, allowed: Sequence[str]) -> None:
    """Raises Refused, Later or Unknown."""
    params = {
        "url": webhook_url(bot),
        "secret_token": webhook_secret(bot),
        "allowed_updates": list(allowed),
        "max_connections": CONNECTIONS,
    }
    await client.call("set_webhook", params)


async def delete(client: "Client") -> None:
    """What waits for the bot is kept. Raises Refused, Later or Unknown."""
    await client.call("delete_webhook", {"drop_pending_updates": False})


def differs(info: dict[str, Any], bot: str, allowed: Sequence[str]) -> bool:
    """Telegram does not tell the secret; that it is another one shows in our own 401s."""
    if info.get("url") != webhook_url(bot) or "401" in str(info.get("last_error_message", "")):
        return True
    return set(info.get("allowed_updates") or ()) != set(allowed)


class Registrar:
    """Of one bot: registers its webhook and asks after it from time to time."""

    def __init__(self, bot: TelegramBot, allowed: Sequence[str], backoff: Backoff | None = None) -> None:
        self.bot = bot
        self.allowed = allowed
        self.backoff = backoff or Backoff(longest=LONGEST_PAUSE)
        self._checked = False

    async def run(self) -> None:
        """Until its task is cancelled."""
        while True:
            pause = await self._guarded_round()
            await self.bot.pause(pause)

    async def stop(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.wait([task])

    async def _guarded_round(self) -> float:
        """One round; seconds to pause after it."""
        try:
            await self._round()
        except (InvalidToken, NotFound) as error:
            self.bot.contact.failed(invalid_token(error), urgent=True)
            return REFUSED_PAUSE
        except NotTheApi as error:
            self.bot.contact.failed(str(error), urgent=True)
            return self.backoff.next()
        except DeliveryError as error:
            self.bot.contact.failed(f"The webhook cannot be registered or asked after: {error}")
            return self.backoff.next(error.seconds if isinstance(error, Later) else None)
        except Exception:
            # Whatever it was: without this watch nobody would know that Telegram is gone.
            log.exception("Bot %r: the watch over the webhook met what it did not expect", self.bot.name)
            return self.backoff.next()
        self.backoff.reset()
        return WATCH_SECONDS

    async def _round(self) -> None:
        info = await webhook_info(self.bot.client)
        if self._is_wrong(info):
            await register(self.bot.client, self.bot.name, self.allowed)
            log.info("Bot %r: webhook registered at %s", self.bot.name, webhook_url(self.bot.name))
        self._checked = True
        self.bot.contact.succeeded()

    def _is_wrong(self, info: dict[str, Any]) -> bool:
        """All of it at the start; afterwards only whether it is still ours, for some servers tell no more."""
        if not self._checked:
            return differs(info, self.bot.name, self.allowed)
        return info.get("url") != webhook_url(self.bot.name)
