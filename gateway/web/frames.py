"""The JSON frames of both sockets: what a client may say, and what we say about it."""

import json
from typing import Annotated, Any

import msgspec

from gateway.fields import clean

TEXT_CHARACTERS = 4096
DATA_CHARACTERS = 64
ID_CHARACTERS = 128
FORM_FIELDS = 20
MESSAGE_FILES = 10
IDENTITY_KEYS = 20

GOING_AWAY = 4012
BAD_ORIGIN = 4003
NOT_ALLOWED = 4001

TOO_FAST = "Too fast: this was not sent. Send it again in a moment."

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_CHARACTERS)]
IdentityValue = str | int | float | bool | None
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Data = Annotated[str, msgspec.Meta(min_length=1, max_length=DATA_CHARACTERS)]


class BadFrame(Exception):
    """A frame that cannot be taken. `code` is the error frame's, `id` the client's, where there is one."""

    def __init__(self, code: str, detail: str, frame_id: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.id = frame_id


class Hello(msgspec.Struct, tag="hello"):
    token: str | None = None
    since: int = 0
    bot: str = "bot"
    recent: Annotated[int, msgspec.Meta(ge=1, le=200)] | None = None
    language: Annotated[str, msgspec.Meta(max_length=35)] = ""
    name: str = ""
    identity: Annotated[dict[str, IdentityValue], msgspec.Meta(max_length=IDENTITY_KEYS)] | None = None
    signature: str = ""


class Message(msgspec.Struct, tag="message"):
    id: Id
    text: str = ""
    files: Annotated[list[Annotated[str, msgspec.Meta(max_length=36)]], msgspec.Meta(max_length=MESSAGE_FILES)] = []


class History(msgspec.Struct, tag="history"):
    before: Seq
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


class Form(msgspec.Struct, tag="form"):
    id: Id
    values: Annotated[dict[str, str], msgspec.Meta(max_length=FORM_FIELDS)]


class Name(msgspec.Struct, tag="name"):
    name: str


class End(msgspec.Struct, tag="end"):
    pass


class Rate(msgspec.Struct, tag="rate"):
    id: Id
    score: Annotated[int, msgspec.Meta(ge=1, le=5)]
    text: str = ""


class Button(msgspec.Struct, tag="button"):
    id: Id
    data: Data


class Typing(msgspec.Struct, tag="typing"):
    pass


class OperatorTyping(msgspec.Struct, tag="typing"):
    conversation: str


class OperatorHello(msgspec.Struct, tag="hello"):
    recent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100


class Watch(msgspec.Struct, tag="watch"):
    conversation: str
    since: int = 0
    recent: Annotated[int, msgspec.Meta(ge=1, le=200)] | None = None


class Take(msgspec.Struct, tag="take"):
    conversation: str


class Release(msgspec.Struct, tag="release"):
    conversation: str


class Resend(msgspec.Struct, tag="resend"):
    conversation: str
    row: int


class Drop(msgspec.Struct, tag="drop"):
    conversation: str
    row: int


class Replay(msgspec.Struct, tag="replay"):
    conversation: str
    row: int


class Say(msgspec.Struct, tag="say"):
    conversation: str
    id: Id
    text: str
    seen: int = 0


Frame = msgspec.Struct


class Vocabulary:
    """The frames that one kind of socket understands."""

    def __init__(self, *frames: type[Frame]) -> None:
        self.tags = {frame.__struct_config__.tag for frame in frames}
        self._type: Any = frames[0]
        for frame in frames[1:]:
            self._type = self._type | frame
        self._decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(self._type)

    def decode(self, text: str) -> Frame:
        """Raises BadFrame."""
        try:
            frame = self._decoder.decode(text)
        except (ValueError, RecursionError):
            frame = self._decode_patiently(text)
        return _checked(frame)

    def _decode_patiently(self, text: str) -> Frame:
        """Python's own decoder takes what a browser may send and msgspec refuses: half an emoji, as an escape."""
        try:
            found = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise BadFrame("bad_frame", "The frame is no JSON, or is nested too deeply.") from None
        if not isinstance(found, dict):
            raise BadFrame("bad_frame", "A frame is a JSON object.")
        flat = {key: _cleaned(value) for key, value in found.items()}
        try:
            return msgspec.convert(flat, self._type)  # type: ignore[no-any-return]
        except ValueError as error:
            raise self._explained(flat, str(error)) from None

    def _explained(self, found: dict[str, Any], reason: str) -> BadFrame:
        name, frame_id = found.get("type"), found.get("id")
        if not isinstance(frame_id, str) or not 0 < len(frame_id) <= ID_CHARACTERS:
            frame_id = None
        if not isinstance(name, str):
            return BadFrame("bad_frame", "A frame has a 'type', a text.", frame_id)
        if name not in self.tags:
            return BadFrame("unknown_type", f"There is no frame of type {name[:64]!r}.", frame_id)
        return BadFrame("bad_frame", reason, frame_id)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _checked(frame: Frame) -> Frame:
    frame_id = getattr(frame, "id", None)
    if frame_id is not None and clean(frame_id) != frame_id:
        raise BadFrame("bad_frame", "An id holds no NUL.")
    if isinstance(frame, Message) and frame.files:
        frame.text = _short_enough(frame.text, frame_id)
    elif isinstance(frame, Message | Say):
        frame.text = _checked_text(frame.text, frame_id)
    elif isinstance(frame, Rate):
        frame.text = _short_enough(frame.text, frame_id)
    elif isinstance(frame, Form):
        frame.values = {clean(name): _short_enough(value, frame_id) for name, value in frame.values.items()}
    return frame


def _checked_text(text: str, frame_id: str | None) -> str:
    text = _short_enough(text, frame_id)
    if not text.strip():
        raise BadFrame("bad_frame", "There is no text in it.", frame_id)
    return text


def _short_enough(text: str, frame_id: str | None) -> str:
    if len(text) > TEXT_CHARACTERS:
        raise BadFrame("too_long", f"A text has at most {TEXT_CHARACTERS} characters, this one {len(text)}.", frame_id)
    return clean(text)


def _cleaned(value: Any) -> Any:
    """Half an emoji may be a level down as well, in what a form holds."""
    if isinstance(value, dict):
        return {key: clean(item) if isinstance(item, str) else item for key, item in value.items()}
    return clean(value) if isinstance(value, str) else value


PUBLIC = Vocabulary(Hello, Message, Button, Typing, History, Form, End, Rate, Name)


_encoder = msgspec.json.Encoder()


def encode(frame: dict[str, Any]) -> str:
    try:
        return _encoder.encode(frame).decode()
    except UnicodeEncodeError:
        # Half an emoji in what another protocol has brought: as an escape it is JSON all the same.
        return json.dumps(frame, default=str)


def error(code: str, detail: str, frame_id: str | None = None, **more: Any) -> str:
    frame = {"type": "error", "code": code, "detail": detail, **more}
    return encode(frame if frame_id is None else {**frame, "id": frame_id})


def ack(frame_id: str, seq: int | None, rev: int) -> str:
    return encode({"type": "ack", "id": frame_id, "seq": seq, "rev": rev})


def typing(sender: str, name: str = "", **more: Any) -> str:
    return encode({"type": "typing", "from": sender, **({"name": name} if name else {}), **more})


def operator(name: str | None) -> str:
    """Who has taken the conversation over; None: nobody any more."""
    return encode({"type": "operator", "name": name})
