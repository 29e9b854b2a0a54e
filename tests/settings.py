"""The settings of the tests: the product's own, on data of their own, deaf to the developer's environment."""

import os
import tempfile

KEPT = {"DATABASE_URL", "CHANNELS_URL", "DATA_DIR"}
READ = {
    "HOST", "PORT", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "PUBLIC_URL", "WIDGET_ORIGINS", "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_BOTS", "TELEGRAM_API_URL", "TELEGRAM_WEBHOOK_URL", "TELEGRAM_WEBHOOK_SECRET", "CONVERSATION_TIMEOUT",
    "FLOOD_LIMITS", "RATE_LIMITS", "PAGES_ALLOW_PRIVATE",
}  # fmt: skip
for name in READ:
    os.environ.pop(name, None)
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="switchboard-test-"))

from config.settings import *  # noqa: E402, F403
