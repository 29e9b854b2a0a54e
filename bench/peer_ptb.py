"""The echo bot of python-telegram-bot's documentation. Usage: python -m bench.peer_ptb webhook|polling TOKEN API PORT

The webhook is its example for a web server of one's own, with an ASGI callable where that has a framework, which costs
it less: its `run_webhook` needs another server still.
"""

import asyncio
import json
import sys
from typing import Any

import uvicorn
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    await update.message.reply_text(update.message.text or "")


def build(token: str, api: str, *, polling: bool) -> Any:
    builder = Application.builder().token(token).base_url(f"{api}/bot")
    application = (builder if polling else builder.updater(None)).build()
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, echo))
    return application


async def serve(application: Any, port: int) -> None:
    async def webhook(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await application.update_queue.put(Update.de_json(json.loads(body), application.bot))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(webhook, port=port, log_level="warning", access_log=False, lifespan="off")
    async with application:
        await application.bot.set_webhook(f"http://127.0.0.1:{port}/telegram")
        await application.start()
        await uvicorn.Server(config).serve()
        await application.stop()


if __name__ == "__main__":
    way, token, api, port = sys.argv[1:]
    if way == "polling":
        build(token, api, polling=True).run_polling()
    else:
        asyncio.run(serve(build(token, api, polling=False), int(port)))
