"""Everything comes from the environment; without any, an embedded gateway on SQLite. See the README's table."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ

from config.embedded import secret_key

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

TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
TELEGRAM_BOTS = env.dict("TELEGRAM_BOTS", default={})
TELEGRAM_API_URL = env.str("TELEGRAM_API_URL", default="https://api.telegram.org").rstrip("/")
TELEGRAM_WEBHOOK_URL = env.str("TELEGRAM_WEBHOOK_URL", default="").rstrip("/")
TELEGRAM_WEBHOOK_SECRET = env.str("TELEGRAM_WEBHOOK_SECRET", default="")
WIDGET_ORIGINS = env.list("WIDGET_ORIGINS", default=[])
CONVERSATION_TIMEOUT = env.float("CONVERSATION_TIMEOUT", default=900)
HOLDER_TIMEOUT = env.float("HOLDER_TIMEOUT", default=120)
FLOOD_LIMITS = env.bool("FLOOD_LIMITS", default=True)
RATE_LIMITS = env.bool("RATE_LIMITS", default=True)
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
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
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
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    _database["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _database.setdefault("OPTIONS", {}).setdefault("connect_timeout", 3)

CHANNELS_URL = env.str("CHANNELS_URL", default="")
CHANNEL_LAYERS: dict[str, object] = {
    "default": (
        {"BACKEND": "gateway.redis_layer.RedisLayer", "CONFIG": {"hosts": [CHANNELS_URL]}}
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
X_FRAME_OPTIONS = "DENY"
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

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "redact": {"()": "gateway.redact.Redact"},
        # /readyz says 503 whenever it is asked by a probe and the gateway is not ready: that is an answer, no error.
        "answered": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        },
    },
    "formatters": {"line": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["redact"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
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
        # uvicorn's own handlers know nothing of the filter that keeps tokens out.
        **{name: {"handlers": [], "propagate": True} for name in ("uvicorn", "uvicorn.access", "uvicorn.error")},
        "django.request": {"filters": ["answered"]},
    },
}
