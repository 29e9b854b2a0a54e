"""The whole architecture on one screen, and the only file where bots meet the gateway."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  # after Django's set-up: these import models
from django.urls import path, re_path  # noqa: E402

from bots.chatty import ChattyBotConsumer  # noqa: E402
from bots.desk import DeskConsumer  # noqa: E402
from bots.pages import PagesConsumer  # noqa: E402
from bots.survey import SurveyConsumer  # noqa: E402
from gateway.flow import flow_control  # noqa: E402
from gateway.lifespan import Lifespan  # noqa: E402
from gateway.telegram.webhook import Webhook  # noqa: E402
from gateway.web.admin_socket import AdminChatConsumer  # noqa: E402
from gateway.web.body import limit_body  # noqa: E402
from gateway.web.downloads import downloads  # noqa: E402
from gateway.web.long_poll import LongPoll  # noqa: E402
from gateway.web.metrics import metrics  # noqa: E402
from gateway.web.odd_headers import plain_headers  # noqa: E402
from gateway.web.public_socket import PublicChatConsumer  # noqa: E402
from gateway.web.remote_files import remote_files  # noqa: E402
from gateway.web.room_socket import RoomChatConsumer  # noqa: E402
from gateway.web.sessions import with_user  # noqa: E402
from gateway.web.socket import refuse  # noqa: E402
from gateway.web.uploads import Uploads  # noqa: E402

chat_bots = [
    path("bot/", ChattyBotConsumer.as_asgi()),
    path("survey/", SurveyConsumer.as_asgi()),
    path("pages/", PagesConsumer.as_asgi()),
    path("desk/", DeskConsumer.as_asgi()),
]
# A name in TELEGRAM_BOTS that has no line of its own.
any_other = re_path("", ChattyBotConsumer.as_asgi())

pages = [
    path("metrics", metrics),
    path("chat/poll/", with_user(LongPoll.as_asgi())),
    path("chat/files/", Uploads.as_asgi()),
    path("chat/files/<uuid:file>/", downloads),
    path("chat/files/remote/<str:protocol>/<str:bot>/<str:file>/", remote_files),
    re_path("", limit_body(django_application)),
]

application = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [
                # Of its answers nobody has to be made to read them: they fit into any line.
                path("telegram/<str:bot>/", Webhook()),
                re_path("", flow_control(plain_headers(URLRouter(pages)))),
            ]
        ),
        "websocket": flow_control(
            plain_headers(
                with_user(
                    URLRouter(
                        [
                            path("ws/chat/admin/", AdminChatConsumer.as_asgi()),
                            path("ws/chat/", PublicChatConsumer.as_asgi()),
                            path("ws/chat/room/<str:room>/", RoomChatConsumer.as_asgi()),
                            re_path("", refuse),
                        ]
                    )
                )
            )
        ),
        "telegram": URLRouter([*chat_bots, any_other]),
        "webchat": URLRouter([*chat_bots, any_other]),
        "lifespan": Lifespan(),
    }
)
