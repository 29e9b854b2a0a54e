"""What an author's settings add to the product's. NOTES_LAYER is "memory", "none" or "redis"."""

import os

from config.settings import *  # noqa: F403
from config.settings import CHANNEL_LAYERS, CHANNELS_URL, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.notes"]
ASGI_APPLICATION = "tests.notes.asgi.application"
ROOT_URLCONF = "tests.notes.urls"
MSG_TYPE_MESSAGE = 0

LAYER = os.environ.get("NOTES_LAYER", "memory")
if LAYER == "none":
    CHANNEL_LAYERS = {}
elif LAYER == "redis":
    # Correction: a URL instead of ("127.0.0.1", 6379), since each test run has a Redis database of its own.
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [CHANNELS_URL]},
        },
    }
else:
    CHANNEL_LAYERS = {**CHANNEL_LAYERS, "echo_alias": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
