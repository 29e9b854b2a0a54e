"""The settings of the tests: the product's own, on data of their own, deaf to the developer's environment."""

import os
import tempfile

KEPT = {"DATABASE_URL", "CHANNELS_URL", "DATA_DIR"}
READ = {
    "HOST", "PORT", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "PUBLIC_URL", "WIDGET_ORIGINS", "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_BOTS", "TELEGRAM_API_URL", "TELEGRAM_WEBHOOK_URL", "TELEGRAM_WEBHOOK_SECRET", "CONVERSATION_TIMEOUT",
    "FLOOD_LIMITS", "FLOOD_BOT_PER_SECOND", "FLOOD_CHAT_PER_SECOND", "FLOOD_CHAT_BURST", "FLOOD_GROUP_PER_MINUTE",
    "FLOOD_GROUP_BURST", "ANNOUNCEMENTS_PER_SECOND", "RATE_LIMITS", "MESSAGES_PER_SECOND",
    "MESSAGES_PER_MINUTE", "SOCKETS_PER_VISITOR", "SOCKETS_PER_ADDRESS", "NEW_CHATS_PER_MINUTE", "LOGINS_PER_MINUTE",
    "TELEGRAM_BOT_TOKEN_FILE", "TELEGRAM_BOTS_FILE",
    "WEBHOOK_MISSES_PER_MINUTE", "TRUSTED_PROXIES", "PAGES_ALLOW_PRIVATE",
    "SLOW_HANDLER_SECONDS", "HANDLER_THREADS_MAX", "HANDLER_SENDS_MAX", "HANDLER_CONNECTIONS_MAX",
    "IDLE_INSTANCES_MAX",
    "WIDGET_IDENTITY_SECRETS", "REMOTE_FILES_MAX_BYTES",
    "UPLOADS", "UPLOAD_MAX_BYTES", "UPLOAD_TYPES", "UPLOADS_MAX_BYTES", "UPLOADS_PER_MINUTE",
    "METRICS_TOKEN", "LOG_FORMAT", "LOG_WORDS",
}  # fmt: skip
for name in READ:
    os.environ.pop(name, None)
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="switchboard-test-"))

from config.settings import *  # noqa: E402, F403

# Whoever measures the gateway from one address measures its limits otherwise.
RATE_LIMITS = False

# A password costs a third of a second on purpose; not where people are made by the dozen.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
