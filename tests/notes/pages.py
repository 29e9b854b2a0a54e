"""HTTP consumers, and Django's own views beside them."""

import asyncio
import json

from asgiref.sync import async_to_sync
from channels.generic.http import AsyncHttpConsumer
from channels.layers import get_channel_layer
from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from tests.notes.models import Clients, Log


class BasicHttpConsumer(AsyncHttpConsumer):
    async def handle(self, body):
        # Correction: a tenth of a second instead of ten seconds, for the sake of whoever runs the tests.
        await asyncio.sleep(0.1)
        await self.send_response(
            200,
            b"Your response bytes",
            headers=[
                (b"Content-Type", b"text/plain"),
            ],
        )


class LongPollConsumer(AsyncHttpConsumer):
    # Correction: Channels stops the consumer as soon as "handle" returns, so no "chat_message" would ever come.
    async def http_request(self, message):
        self.body.append(message.get("body", b""))
        if not message.get("more_body"):
            await self.handle(b"".join(self.body))

    async def handle(self, body):
        # Correction: a consumer hears only the groups that it has joined.
        await self.channel_layer.group_add("polls", self.channel_name)
        await self.send_headers(
            headers=[
                (b"Content-Type", b"application/json"),
            ]
        )
        await self.send_body(b"", more_body=True)

    async def chat_message(self, event):
        await self.send_body(json.dumps(event).encode("utf-8"))

    async def disconnect(self):
        await self.channel_layer.group_discard("polls", self.channel_name)


class WhoConsumer(AsyncHttpConsumer):
    async def handle(self, body):
        # Correction: the method is text.
        if self.scope["method"] == "POST":
            known = {"user": self.scope["user"].username, "path": self.scope["path"], "body": body.decode()}
            await self.send_response(200, json.dumps(known).encode(), headers={b"Content-Type": b"application/json"})
        else:
            await self.send_response(405, b"")


def room(request, room_name):
    return render(request, "notes/room.html", {"room_name": room_name})


def log(request):
    return JsonResponse({"log": list(Log.objects.order_by("pk").values_list("type", "client"))})


def clients(request):
    return JsonResponse({"clients": list(Clients.objects.values_list("channel_name", flat=True))})


async def tasks(request):
    return JsonResponse({"tasks": [task.get_name() for task in asyncio.all_tasks()]})


@csrf_exempt
def send_to_clients(request):
    """A word to each channel whose name is in the table, one by one."""
    channel_layer = get_channel_layer()
    names = list(Clients.objects.values_list("channel_name", flat=True))
    for channel_name in names:
        async_to_sync(channel_layer.send)(channel_name, {"type": "chat.message", "text": "Hello there!"})
    return JsonResponse({"sent": len(names)})


@csrf_exempt
async def system_message(request):
    """The announcement from outside any consumer. `layer` is an alias, `type` the event's."""
    channel_layer = get_channel_layer(request.POST.get("layer", "default"))
    announcement_text = request.POST["text"]
    chats = request.POST.getlist("chat")
    for chat_name in chats:
        await channel_layer.group_send(
            chat_name,
            {"type": request.POST.get("type", "chat.system_message"), "text": announcement_text},
        )
    return JsonResponse({"chats": chats})
