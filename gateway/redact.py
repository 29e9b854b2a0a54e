"""No token in any log line, whoever writes it."""

import logging
import re

TOKEN = re.compile(r"\d{3,}(?::|%3[Aa])[\w-]{20,}")


def redact(text: str) -> str:
    return TOKEN.sub("<token>", text)


class Redact(logging.Filter):
    """Rewrites a record so that neither its message nor its traceback holds a bot token."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        record.msg, record.args = redact(message), ()
        return True
