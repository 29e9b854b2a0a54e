from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Announces something in chats, from a process of its own."

    def add_arguments(self, parser):
        parser.add_argument("text")
        parser.add_argument("chats", nargs="+")

    def handle(self, *args, text, chats, **options):
        async_to_sync(self.announce)(chats, text)

    async def announce(self, chats, announcement_text):
        channel_layer = get_channel_layer()
        for chat_name in chats:
            await channel_layer.group_send(
                chat_name,
                {"type": "chat.system_message", "text": announcement_text},
            )
