"""The echo bot of aiogram's documentation. Usage: python -m bench.peer_aiogram webhook|polling TOKEN API PORT"""

import asyncio
import sys

from aiogram import Bot, Dispatcher, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

router = Router()


@router.message()
async def echo(message: Message) -> None:
    await message.answer(message.text or "")


def build(token: str, api: str) -> tuple[Dispatcher, Bot]:
    dispatcher = Dispatcher()
    dispatcher.include_router(router)
    return dispatcher, Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(api)))


def serve(dispatcher: Dispatcher, bot: Bot, port: int) -> None:
    async def on_startup(bot: Bot) -> None:
        await bot.set_webhook(f"http://127.0.0.1:{port}/telegram")

    dispatcher.startup.register(on_startup)
    application = web.Application()
    SimpleRequestHandler(dispatcher=dispatcher, bot=bot).register(application, path="/telegram")
    setup_application(application, dispatcher, bot=bot)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    way, token, api, port = sys.argv[1:]
    dispatcher, bot = build(token, api)
    if way == "polling":
        asyncio.run(dispatcher.start_polling(bot))
    else:
        serve(dispatcher, bot, int(port))
