"""The Telegram protocol server: a client for each bot, and its intake by long polling or webhook."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings

from gateway.errors import DeliveryError, Later, Refused
from gateway.protocols import ProtocolServer, Tell
from gateway.telegram import bots, delivery, media, methods, registration
from gateway.telegram.answers import InvalidToken, NotFound, NotTheApi
from gateway.telegram.bots import TelegramBot
from gateway.telegram.client import Client, Session
from gateway.telegram.compose import compose
from gateway.telegram.contact import Contact
from gateway.telegram.kinds import allowed_updates
from gateway.telegram.lines import Told
from gateway.telegram.pace import limits
from gateway.telegram.polling import Poller
from gateway.telegram.registration import Registrar
from gateway.telegram.updates import courtesy
from gateway.types import Delivery, Limits, Outbound, Sent

if TYPE_CHECKING:
    from gateway.engine import Engine

log = logging.getLogger(__name__)
WITHOUT_BOT_SECONDS = 60.0
REFUSED_SECONDS = 5.0
AT_ONCE_SECONDS = 0.1


class Server(ProtocolServer):
    scope_type: ClassVar[str] = "telegram"

    def __init__(self, engine: "Engine") -> None:
        super().__init__(engine)
        self.bots: dict[str, TelegramBot] = {}
        self._session: Session | None = None
        self._intakes: dict[str, tuple[asyncio.Task[None], Poller | Registrar]] = {}

    async def start(self) -> None:
        tokens = bots.tokens()
        if not tokens:
            log.info("Telegram is off: set TELEGRAM_BOT_TOKEN to a token from @BotFather to switch it on")
            return
        self._session = Session()
        for name, token in tokens.items():
            self.bots[name] = TelegramBot(name, Client(settings.TELEGRAM_API_URL, token, self._session), Contact(name))
        await self.take_in()

    async def take_in(self) -> None:
        for bot in self.bots.values():
            bot.contact.listens = self.engine.members.leads(self.scope_type, bot.name)
            if not bot.contact.listens:
                await self._stop_intake(bot.name)
            elif bot.name not in self._intakes and not self.engine.stopping:
                self._start_intake(bot)

    def intakes(self) -> list[str]:
        return sorted(self._intakes)

    def _start_intake(self, bot: TelegramBot) -> None:
        if not self.engine.routes(self.scope_type, bot.name):
            log.error("Bot %r takes nothing in: the application map has no application for it", bot.name)
            bot.contact.failed('The application map has no "telegram" application for this bot.', urgent=True)
            return
        bot.contact.listen()
        if settings.TELEGRAM_WEBHOOK_URL:
            allowed = allowed_updates(self.engine.methods(self.scope_type, bot.name))
            intake: Registrar | Poller = Registrar(bot, allowed)
        else:
            intake = Poller(bot, self.engine)
        task = _start(intake.run(), f"intake of {bot.name}")
        self._intakes[bot.name] = task, intake
        task.add_done_callback(partial(self._intake_ended, bot))

    def _intake_ended(self, bot: TelegramBot, task: "asyncio.Task[None]") -> None:
        """Whatever ended it (a bot may cancel every task that it finds): nobody else would take the updates."""
        if self._intakes.get(bot.name, (None,))[0] is task and not self.engine.stopping:
            del self._intakes[bot.name]
            log.error("Bot %r: its intake has ended by itself and is started again", bot.name)
            self._start_intake(bot)

    async def _stop_intake(self, name: str) -> None:
        task, intake = self._intakes.pop(name, (None, None))
        if task is not None and intake is not None:
            await intake.stop(task)

    async def stop_accepting(self) -> None:
        await asyncio.gather(*map(self._stop_intake, tuple(self._intakes)))

    async def stop(self) -> None:
        await self.stop_accepting()
        if self._session is not None:
            await self._session.close()

    @classmethod
    def compose(
        cls,
        method: str,
        params: Mapping[str, Any],
        *,
        address: Mapping[str, Any],
        event: Mapping[str, Any] | None,
    ) -> Outbound:
        return compose(method, params, address=address, event=event)

    def courtesy(self, method: str, event: Mapping[str, Any]) -> Outbound | None:
        return courtesy(method, dict(event))

    def lane(self, address: Mapping[str, Any]) -> str:
        return f"{address.get('business_connection_id', '')} {address.get('chat_id', '')}"

    def chat(self, method: str, params: Mapping[str, Any], address: Mapping[str, Any]) -> str:
        chat = params.get("chat_id") if methods.belongs_to_chat(method) else None
        return "" if chat is None else str(chat)

    def limits(self, chat: str) -> Limits:
        return limits(chat)

    async def deliver(self, delivery_: Delivery) -> Sent:
        bot = self.bots.get(delivery_.bot)
        if bot is None:
            raise Later(f"There is no token for the bot {delivery_.bot!r}.", WITHOUT_BOT_SECONDS)
        async with bot.places:
            return await self._understood(bot, delivery.deliver(bot.client, delivery_))

    def begin(self, delivery_: Delivery, tell: Tell) -> bool:
        bot = self.bots.get(delivery_.bot)
        if bot is None or not delivery.is_one_call(delivery_) or not bot.places.take():
            return False
        begun = bot.client.begin(delivery_.method, delivery_.params, partial(self._answered, bot, delivery_, tell))
        if not begun:
            bot.places.free()
        return begun

    def _answered(self, bot: TelegramBot, delivery_: Delivery, tell: Tell, token: str, told: Told) -> None:
        bot.places.free()
        try:
            sent = delivery.sent(bot.client.read(token, told))
        except DeliveryError:
            tell(lambda: self._understood(bot, delivery.finish(bot.client, delivery_, token, told)))
        else:
            bot.contact.unhindered()
            tell(sent)

    async def _understood(self, bot: TelegramBot, call: Awaitable[Sent]) -> Sent:
        try:
            sent = await call
        except NotFound as error:
            if bot.client.is_proven:
                raise  # There is no such method.
            raise self._not_the_words_fault(bot, error) from None
        except (InvalidToken, NotTheApi) as error:
            raise self._not_the_words_fault(bot, error) from None
        bot.contact.unhindered()
        return sent

    def _not_the_words_fault(self, bot: TelegramBot, error: DeliveryError) -> Later:
        """They wait for a token that is valid, at the right address."""
        if isinstance(error, NotTheApi):
            bot.contact.hindered(str(error))
            return Later(str(error))
        bot.contact.hindered(registration.invalid_token(error))
        return Later(str(error), AT_ONCE_SECONDS if bot.takes_new_token() else REFUSED_SECONDS)

    async def fetch_file(self, bot: str, file_id: str) -> AsyncIterator[bytes]:
        if bot not in self.bots:
            raise Refused(f"There is no token for the bot {bot!r}.")
        async for chunk in self.bots[bot].client.download(file_id, media.LARGEST):
            yield chunk

    def health(self) -> dict[str, str]:
        return {f"telegram {bot.name}": trouble for bot in self.bots.values() if (trouble := bot.contact.trouble)}

    def contact_ages(self) -> dict[str, float | None]:
        """Seconds since the intake of each bot that this process leads last had word from Telegram; None: never yet."""
        return {bot.name: bot.contact.age for bot in self.bots.values() if bot.contact.listens}


def _start(job: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    """In a context of its own: what started the gateway must not colour what it does later."""
    return asyncio.create_task(job, name=name, context=Context())
