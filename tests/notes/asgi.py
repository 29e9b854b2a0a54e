"""The author's map: the product's own, with the examples in it."""

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path, re_path

from config.asgi import application as base
from tests.notes import chatbots, echoes, generic, lifetimes, pages, rooms

websocket_urlpatterns = [
    path("echo/sync/", echoes.EchoConsumer.as_asgi()),
    path("echo/async/", echoes.AsyncEchoConsumer.as_asgi()),
    path("echo/stopping/", echoes.StoppingEchoConsumer.as_asgi()),
    path("echo/alias/", echoes.AliasEchoConsumer.as_asgi()),
    # Correction: re_path, since Django has no url() any more.
    re_path(r"^chat/admin/$", generic.JsonChatConsumer.as_asgi()),
    re_path(r"^chat/$", echoes.ChatConsumer.as_asgi()),
    path("my/sync/", generic.MyConsumer.as_asgi()),
    path("my/async/", generic.MyAsyncConsumer.as_asgi()),
    path("price/sync/", generic.PriceConsumer.as_asgi()),
    path("price/async/", generic.AsyncPriceConsumer.as_asgi()),
    path("door/<str:word>/", generic.DoorConsumer.as_asgi()),
    path("log/sync/", lifetimes.LogConsumer.as_asgi()),
    path("log/async/", lifetimes.AsyncLogConsumer.as_asgi()),
    path("ping/", lifetimes.PingConsumer.as_asgi()),
    path("ticker/<str:room_name>/", lifetimes.TickerConsumer.as_asgi()),
    path("scope/<str:room_name>/", lifetimes.ScopeConsumer.as_asgi()),
    path("clients/", rooms.ClientsConsumer.as_asgi()),
    path("group/", rooms.GroupChatConsumer.as_asgi()),
    path("members/<int:room_id>/", rooms.MemberConsumer.as_asgi()),
    path("center/", rooms.CenterConsumer.as_asgi()),
    # Correction: anchored at its beginning, and named apart from the product's own ws/chat/ and ws/chat/admin/.
    re_path(r"^ws/chat/(?P<room_name>(?!admin/)\w+)/$", rooms.RoomConsumer.as_asgi()),
    re_path("", base.application_mapping["websocket"]),
]

bots = URLRouter(
    [
        path("chatty/", chatbots.ChattyBotConsumer.as_asgi()),
        path("story/", chatbots.StoryBot.as_asgi()),
        path("log/", chatbots.LogBot.as_asgi()),
        path("async_log/", chatbots.AsyncLogBot.as_asgi()),
        path("ping/", chatbots.PingBot.as_asgi()),
        path("ticker/", chatbots.TickerBot.as_asgi()),
        path("room/", chatbots.RoomBot.as_asgi()),
        path("async_room/", chatbots.AsyncRoomBot.as_asgi()),
        path("clients/", chatbots.ClientsBot.as_asgi()),
    ]
)

application = ProtocolTypeRouter(
    {
        **base.application_mapping,
        "http": URLRouter(
            [
                path("notes/basic/", pages.BasicHttpConsumer.as_asgi()),
                path("notes/poll/", pages.LongPollConsumer.as_asgi()),
                path("notes/who/", AuthMiddlewareStack(pages.WhoConsumer.as_asgi())),
                re_path("", base.application_mapping["http"]),
            ]
        ),
        "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns)),
        "telegram": bots,
        "webchat": bots,
    }
)
