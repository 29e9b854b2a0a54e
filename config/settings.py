"""Everything comes from the environment; without any, an embedded gateway on SQLite. See the README's table."""

import gc
import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

import environ

from config.embedded import UPLOAD_TYPES_BY_DEFAULT, from_file, one_of, secret_key
from gateway.reload import is_child
from gateway.telegram.tokens import in_file, named_in_file

# A start makes many objects and hardly any garbage: to look for it as often as Python does takes a fifth of the time.
# Once all is loaded, gateway/apps.py takes this back.
gc.set_threshold(50_000, 20, 100)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DATA_DIR", BASE_DIR / "data"))

env = environ.Env()

HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
# Nobody can visit "every address": a wildcard is seen from this machine as its own name.
_seen_host = "127.0.0.1" if HOST in ("0.0.0.0", "::", "") else HOST  # noqa: S104
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://{_seen_host}:{PORT}").rstrip("/")
_public = urlsplit(PUBLIC_URL)
_secure = _public.scheme == "https"

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or secret_key(DATA_DIR)
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=sorted({"localhost", "127.0.0.1", "[::1]", HOST, _public.hostname or "localhost"})
)
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

# The files are read again whenever Telegram refuses a token, and from time to time.
TELEGRAM_BOT_TOKEN_FILE = env.str("TELEGRAM_BOT_TOKEN_FILE", default="")
TELEGRAM_BOTS_FILE = env.str("TELEGRAM_BOTS_FILE", default="")
TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
TELEGRAM_BOT_TOKEN = from_file("TELEGRAM_BOT_TOKEN_FILE", in_file, TELEGRAM_BOT_TOKEN_FILE) or TELEGRAM_BOT_TOKEN
TELEGRAM_BOTS = env.dict("TELEGRAM_BOTS", default={})
TELEGRAM_BOTS = {**TELEGRAM_BOTS, **from_file("TELEGRAM_BOTS_FILE", named_in_file, TELEGRAM_BOTS_FILE)}
TELEGRAM_API_URL = env.str("TELEGRAM_API_URL", default="https://api.telegram.org").rstrip("/")
TELEGRAM_WEBHOOK_URL = env.str("TELEGRAM_WEBHOOK_URL", default="").rstrip("/")
TELEGRAM_WEBHOOK_SECRET = env.str("TELEGRAM_WEBHOOK_SECRET", default="")
WIDGET_ORIGINS = env.list("WIDGET_ORIGINS", default=[])
CONVERSATION_TIMEOUT = env.float("CONVERSATION_TIMEOUT", default=900)
HOLDER_TIMEOUT = env.float("HOLDER_TIMEOUT", default=120)
# What a bot's handlers may take: seconds an event until the user and the log are told, threads in all, sends an event.
SLOW_HANDLER_SECONDS = env.float("SLOW_HANDLER_SECONDS", default=30)
HANDLER_THREADS_MAX = env.int("HANDLER_THREADS_MAX", default=512)
HANDLER_SENDS_MAX = env.int("HANDLER_SENDS_MAX", default=1000)
# Instances that wait for their next event, of bots that keep all in the session: more are let go, the idlest first.
IDLE_INSTANCES_MAX = env.int("IDLE_INSTANCES_MAX", default=2000)
# Of the database server's; 0: any number.
HANDLER_CONNECTIONS_MAX = env.int("HANDLER_CONNECTIONS_MAX", default=50)
# How fast a Telegram bot calls, unless FLOOD_LIMITS is off: in all, in a private chat, in a group, and to announce.
FLOOD_LIMITS = env.bool("FLOOD_LIMITS", default=True)
# Answers are not held up for a whole bot: Telegram's thirty a second are about bulk, and who asks wants an answer.
FLOOD_BOT_PER_SECOND = env.float("FLOOD_BOT_PER_SECOND", default=0)
FLOOD_CHAT_PER_SECOND = env.float("FLOOD_CHAT_PER_SECOND", default=1)
FLOOD_CHAT_BURST = env.int("FLOOD_CHAT_BURST", default=60)
FLOOD_GROUP_PER_MINUTE = env.float("FLOOD_GROUP_PER_MINUTE", default=20)
FLOOD_GROUP_BURST = env.int("FLOOD_GROUP_BURST", default=20)
ANNOUNCEMENTS_PER_SECOND = env.float("ANNOUNCEMENTS_PER_SECOND", default=30)
RATE_LIMITS = env.bool("RATE_LIMITS", default=True)
# Each of these is off where it is 0.
MESSAGES_PER_SECOND = env.int("MESSAGES_PER_SECOND", default=10)
MESSAGES_PER_MINUTE = env.int("MESSAGES_PER_MINUTE", default=100)
SOCKETS_PER_VISITOR = env.int("SOCKETS_PER_VISITOR", default=5)
SOCKETS_PER_ADDRESS = env.int("SOCKETS_PER_ADDRESS", default=50)
NEW_CHATS_PER_MINUTE = env.int("NEW_CHATS_PER_MINUTE", default=10)
LOGINS_PER_MINUTE = env.int("LOGINS_PER_MINUTE", default=5)
WEBHOOK_MISSES_PER_MINUTE = env.int("WEBHOOK_MISSES_PER_MINUTE", default=20)
# name=secret by comma: what the sites sign their users' identities with, instead of the administration's.
WIDGET_IDENTITY_SECRETS = env.dict("WIDGET_IDENTITY_SECRETS", default={})
# Files that visitors send, where the bot's widget options allow them: on a disk of ours, so nobody begins by accident.
UPLOADS = env.bool("UPLOADS", default=False)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=10 * 1024 * 1024)
UPLOAD_TYPES = env.list("UPLOAD_TYPES", default=[*UPLOAD_TYPES_BY_DEFAULT])
UPLOADS_MAX_BYTES = env.int("UPLOADS_MAX_BYTES", default=2 * 1024 * 1024 * 1024)
# Files of Telegram's that somebody has looked at: kept so that they are not fetched at every look.
REMOTE_FILES_MAX_BYTES = env.int("REMOTE_FILES_MAX_BYTES", default=512 * 1024 * 1024)
UPLOADS_PER_MINUTE = env.int("UPLOADS_PER_MINUTE", default=10)
# Addresses or networks of the proxies whose X-Forwarded-For is believed.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
# Open at once in one process; a tenth of them is kept for pages, webhooks and probes.
MAX_CONNECTIONS = env.int("MAX_CONNECTIONS", default=10_000)
# Who may read /metrics from elsewhere; without it only this machine may.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Whether the bot that fetches pages may reach this network's own addresses. Strangers name the pages.
PAGES_ALLOW_PRIVATE = env.bool("PAGES_ALLOW_PRIVATE", default=False)

ASGI_APPLICATION = "config.asgi.application"
ROOT_URLCONF = "config.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "channels",
    "gateway",
    "gateway.web",
    "bots",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Before those that may answer themselves: static files and refusals have these headers too.
    "gateway.web.headers.Headers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "gateway.web.odd_questions.OddQuestions",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'switchboard.sqlite3'}")}
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE on every connection: in WAL a read that wants to become a write cannot wait, it fails.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # A log of one mebibyte, not of four: on a disk that runs full it must not be what fills it.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=250;",
    }
    _database["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _database["ENGINE"] = "gateway.postgres"
    # Seconds, and milliseconds for the last: after how long a line that carries nothing any more is given up.
    _dead_lines = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 8000}
    _database["OPTIONS"] = {"connect_timeout": 3, **_dead_lines, **_database.get("OPTIONS", {})}

CHANNELS_URL = env.str("CHANNELS_URL", default="")
# Seconds. Whoever listens asks Redis to answer within five, with news or without.
_redis = {"address": CHANNELS_URL, "socket_connect_timeout": 3, "socket_timeout": 15}
CHANNEL_LAYERS: dict[str, object] = {
    "default": (
        {"BACKEND": "gateway.redis_layer.RedisLayer", "CONFIG": {"hosts": [_redis]}}
        if CHANNELS_URL
        else {"BACKEND": "gateway.layers.MemoryLayer"}
    )
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "console-login"
LOGIN_REDIRECT_URL = "console"
LOGOUT_REDIRECT_URL = "console-login"

SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # Other names below ours are not ours to decide for,
    "security.W021",  # nor is a list in every browser that takes months to leave.
    "security.W008",  # TLS ends at a proxy, which redirects; here it could only be done by believing a header.
]
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER = "gateway.web.debug_pages.Reporter"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "connect-src": ["'self'", f"{'wss' if _secure else 'ws'}://{_public.netloc}"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
# Served from the apps' own folders: nothing to collect before the first run.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOG_FORMAT = one_of("LOG_FORMAT", env.str("LOG_FORMAT", default="line"), "line", "json")
# What an exception says may be what somebody wrote. Whoever changes a bot under --reload is told nonetheless.
LOG_WORDS = env.bool("LOG_WORDS", default=DEBUG or is_child())
_levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL = one_of("LOG_LEVEL", env.str("LOG_LEVEL", default="INFO").upper(), *_levels)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "context": {"()": "gateway.logs.Context"},
        "mistakes": {"()": "gateway.logs.Mistakes"},
        "wordless": {"()": "gateway.logs.Wordless", "debug": LOG_WORDS},
        "redact": {"()": "gateway.redact.Redact"},
        # /readyz says 503 whenever it is asked by a probe and the gateway is not ready: that is an answer, no error.
        "answered": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        },
    },
    "formatters": {"chosen": {"()": "gateway.logs.formatter", "kind": LOG_FORMAT}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "chosen",
            "filters": ["mistakes", "context", "wordless", "redact"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        **{
            name: {"level": "WARNING"}
            for name in (
                "httpx",
                "httpcore",
                "daphne",
                "twisted",
                "asyncio",
                "aiohttp.access",
                "urllib3",
                "channels_redis",
            )
        },
        # At DEBUG these write the frames that they carry. Django, which would write statements, is at INFO by itself.
        # uvicorn's own handlers know nothing of the filter that keeps tokens out.
        **{
            name: {"handlers": [], "propagate": True, "level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL}
            for name in ("uvicorn", "uvicorn.error", "websockets")
        },
        # Told `--no-access-log`, uvicorn has taken this one's handlers away. Else a line a request costs 80 µs.
        "uvicorn.access": {"handlers": [], "propagate": bool(logging.getLogger("uvicorn.access").handlers)},
        # With DEBUG on, Django's own handler would write everything once more, past the filters.
        "django": {"handlers": [], "propagate": True, "level": "INFO"},
        "django.request": {"filters": ["answered"]},
    },
}
