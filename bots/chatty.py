"""The echo of Channels' own documentation, unchanged. It answers on Telegram and on the web."""

from channels.consumer import SyncConsumer


class ChattyBotConsumer(SyncConsumer):
    def telegram_message(self, message):
        self.send({"type": "telegram.message", "text": "You said: %s" % message["text"]})
