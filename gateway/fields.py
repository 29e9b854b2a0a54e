"""A JSON column that takes whatever a chat can contain."""

import json
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

from django.db import models

# The stubs give the field parameters that it does not have at run time.
if TYPE_CHECKING:
    TextField = models.TextField[Any, Any]
else:
    TextField = models.TextField


# What most of the columns hold most of the time.
EMPTY: dict[type, str] = {list: "[]", dict: "{}"}
_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
# What JSONEncoder makes anew for each text; it looks for no circles, and takes half the time for a short one.
_chunks = c_make_encoder(None, _encoder.default, encode_basestring_ascii, None, ":", ",", False, False, True)


def dump(value: Any) -> str:
    """JSON in pure ASCII: a NUL or a lone surrogate stays an escape, which every database can store."""
    if not value and type(value) in EMPTY:
        return EMPTY[type(value)]
    try:
        return "".join(_chunks(value, 0))
    except RecursionError:
        return _encoder.encode(value)  # Says so where it is a circle.


def clean(text: str) -> str:
    """The text without what no database takes: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    # A pair of surrogates written as two escapes is one character; a lone one becomes U+FFFD.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class JSONText(TextField):
    """JSON kept as text. PostgreSQL's own type refuses the escape of a NUL, which Telegram may send."""

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, *_: object) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else dump(value)

    def value_to_string(self, obj: models.Model) -> str:
        return dump(self.value_from_object(obj))
