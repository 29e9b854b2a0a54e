"""No token, secret or cookie in any log line or error page, whoever writes it."""

import logging
import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from django.conf import settings

# From the beginning of a run alone: tried from each of its letters, a long word would stop everybody for seconds.
BOTS = r"(?<!\d)\d{3,}+(?::|%3[Aa])[\w-]{20,}"
VISITORS = r"(?<![\w-])[\w-]{20,}+:\w{6}:[\w-]{43}"
COOKIES = r"(?<=sessionid=)\w+|(?<=csrftoken=)\w+"
# What is shorter is a word that says something: to hide it would hide too much.
SHORTEST = 8


def redact(text: str) -> str:
    return pattern(secrets()).sub("<token>", text)


@lru_cache(maxsize=4)
def pattern(literals: tuple[str, ...]) -> re.Pattern[str]:
    spellings = {spelling for text in literals for spelling in (text, quote(text, safe="")) if len(text) >= SHORTEST}
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, longest_first), BOTS, VISITORS, COOKIES]))


def secrets() -> tuple[str, ...]:
    """What the settings hold. A token need not look like one."""
    if not settings.configured:
        return ()
    urls = [urlsplit(getattr(settings, "CHANNELS_URL", "")).password]
    passwords = [database.get("PASSWORD") for database in settings.DATABASES.values()]
    names = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "SECRET_KEY", "METRICS_TOKEN")
    own = [getattr(settings, name, "") for name in names]
    bots = getattr(settings, "TELEGRAM_BOTS", {}).values()
    return tuple(str(text).strip() for text in (*own, *bots, *passwords, *urls) if text)


class Redact(logging.Filter):
    """Rewrites a record so that neither its message nor its traceback holds a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # Whoever logs with the wrong arguments must not fail by it.
            message = f"{record.msg} (its arguments do not fit)"
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        record.msg, record.args = redact(message), ()
        return True
