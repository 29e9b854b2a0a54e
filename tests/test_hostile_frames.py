"""What a client may send that no browser sends: each gets an error frame or a code, never a traceback."""

import json
import struct
from collections.abc import Iterator

import pytest

from tests.conftest import long_run
from tests.flow_process import FlowProcess, RawSocket, frame
from tests.outside.clients import PASSWORD, Browser, make_operators

FRAME_BYTES = 64 * 1024
DEEP = 10_000
HELLO = b'{"type":"hello"}'
SURROGATE = rb'"\ud800"'

BROKEN, NOT_TEXT, TOO_LARGE, FLOODING = 1002, 1007, 4009, 4008
ERROR = "error"


def control(opcode: int, payload: bytes = b"", fin: int = 0x80) -> bytes:
    return frame(payload, first=fin | opcode)


def message(**keys: object) -> bytes:
    return frame(json.dumps({"type": "message", "id": "1", "text": "x", **keys}).encode())


def raw_message(inner: bytes) -> bytes:
    return frame(b'{"type":"message","id":"1",' + inner + b"}")


def continued(*parts: bytes, first: int = 0x01) -> bytes:
    head, *rest = parts
    return frame(head, first=first) + b"".join(
        frame(part, first=0x80 if number == len(rest) else 0x00) for number, part in enumerate(rest, 1)
    )


# name: what is sent; what comes of it
HOSTILE: dict[str, tuple[bytes, object]] = {
    # No text
    "invalid UTF-8": (frame(b"\xff\xfe"), NOT_TEXT),
    "an overlong encoding": (frame(b"\xc0\xaf"), NOT_TEXT),
    "a surrogate in UTF-8": (frame(b"\xed\xa0\x80"), NOT_TEXT),
    "beyond Unicode": (frame(b"\xf4\x90\x80\x80"), NOT_TEXT),
    "half a character": (frame(b'{"type":"\xe2\x82'), NOT_TEXT),
    "half a character in a fragment": (continued(b"\xe2\x82", b""), NOT_TEXT),
    "a lone continuation byte": (frame(b"\x80"), NOT_TEXT),
    "a binary frame": (frame(HELLO, first=0x82), ERROR),
    "an empty binary frame": (frame(b"", first=0x82), ERROR),
    "binary in fragments": (continued(b"\x00", b"\x01", first=0x02), ERROR),
    # No frame of ours
    "an empty frame": (frame(b""), ERROR),
    "blanks": (frame(b"   \n"), ERROR),
    "a byte order mark": (frame(b"\xef\xbb\xbf" + HELLO), ERROR),
    "a NUL": (frame(b"\x00"), ERROR),
    "no JSON": (frame(b"hello"), ERROR),
    "half an object": (frame(b'{"type":"hel'), ERROR),
    "two objects": (frame(HELLO + HELLO), ERROR),
    "a trailing comma": (frame(b'{"type":"hello",}'), ERROR),
    "single quotes": (frame(b"{'type':'hello'}"), ERROR),
    "a comment": (frame(b'{"type":"hello"}//'), ERROR),
    "a number": (frame(b"7"), ERROR),
    "null": (frame(b"null"), ERROR),
    "true": (frame(b"true"), ERROR),
    "a text": (frame(b'"hello"'), ERROR),
    "an empty array": (frame(b"[]"), ERROR),
    "an empty object": (frame(b"{}"), ERROR),
    "NaN": (frame(b"NaN"), ERROR),
    "infinity inside": (frame(b'{"type":"hello","since":Infinity}'), ERROR),
    # Too much of it
    "10,000 arrays deep": (frame(b"[" * DEEP + b"]" * DEEP), ERROR),
    "10,000 arrays never closed": (frame(b"[" * DEEP), ERROR),
    "10,000 objects deep": (frame(b'{"a":' * DEEP + b"1" + b"}" * DEEP), ERROR),
    "deep inside a known key": (frame(b'{"type":"hello","bot":' + b"[" * DEEP + b"]" * DEEP + b"}"), ERROR),
    "deep inside an unknown key": (frame(b'{"type":"nope","x":' + b"[" * DEEP + b"]" * DEEP + b"}"), ERROR),
    "a number of 60,000 digits": (frame(b"1" * 60_000), ERROR),
    "a huge since": (frame(b'{"type":"watch","conversation":"x","since":' + b"9" * 5000 + b"}"), ERROR),
    "a huge exponent": (frame(b'{"type":"watch","conversation":"x","since":1e999999}'), ERROR),
    "10,000 keys": (frame(json.dumps({f"k{n}": 1 for n in range(5_000)}).encode()), ERROR),
    "an array of 30,000": (frame(b"[" + b"1," * 30_000 + b"1]"), ERROR),
    # Known keys of a wrong kind
    "type twice": (frame(b'{"type":"nope","type":"nope2"}'), ERROR),
    "text twice": (raw_message(b'"text":"a","text":"b"'), ERROR),
    "type a number": (frame(b'{"type":7}'), ERROR),
    "type null": (frame(b'{"type":null}'), ERROR),
    "type an object": (frame(b'{"type":{"type":"hello"}}'), ERROR),
    "type empty": (frame(b'{"type":""}'), ERROR),
    "type very long": (frame(json.dumps({"type": "x" * 60_000}).encode()), ERROR),
    "__proto__": (frame(b'{"__proto__":{"type":"hello"}}'), ERROR),
    "a NUL in the type": (frame(rb'{"type":"hello\u0000"}'), ERROR),
    "a lone surrogate as type": (frame(b'{"type":' + SURROGATE + b"}"), ERROR),
    "a lone surrogate as id": (raw_message(b'"id":' + SURROGATE + b',"text":"x"'), ERROR),
    "a lone surrogate as text": (raw_message(b'"text":' + SURROGATE), ERROR),
    "an id that is a number": (message(id=7), ERROR),
    "an empty id": (message(id=""), ERROR),
    "a long id": (message(id="x" * 1000), ERROR),
    "a text that is an array": (message(text=["x"]), ERROR),
    "a text that is null": (message(text=None), ERROR),
    "a long text": (message(text="x" * 5000), ERROR),
    "a text before hello": (message(), ERROR),
    "a button without data": (frame(b'{"type":"button","id":"1"}'), ERROR),
    "a watch of nobody": (frame(b'{"type":"watch","conversation":"\' OR 1=1"}'), ERROR),
    "a take of a number": (frame(b'{"type":"take","conversation":7}'), ERROR),
    "a say of nothing": (frame(b'{"type":"say"}'), ERROR),
    # Too large
    "64 KiB and a byte": (frame(b"x" * (FRAME_BYTES + 1)), TOO_LARGE),
    "1 MiB": (frame(b"x" * 2**20), TOO_LARGE),
    "2^40 bytes announced": (frame(b"x", length=struct.pack("!BQ", 127, 2**40)), TOO_LARGE),
    "64 KiB and a byte in fragments": (continued(b"x" * FRAME_BYTES, b"x"), TOO_LARGE),
    "64 KiB of two-byte characters": (frame("é".encode() * 32_769), TOO_LARGE),
    "binary, too large": (frame(b"x" * (FRAME_BYTES + 1), first=0x82), TOO_LARGE),
    "endless empty fragments": (frame(b"", first=0x01) + frame(b"", first=0x00) * 3000, TOO_LARGE),
    "an endless rain of pings": (control(9) * 5000, FLOODING),
    "an endless rain of pongs": (control(10) * 5000, FLOODING),
    # No WebSocket
    "an unmasked frame": (frame(HELLO, masked=False), BROKEN),
    "an unmasked empty frame": (frame(b"", masked=False), BROKEN),
    "the compressed bit": (frame(HELLO, first=0xC1), BROKEN),
    "the second reserved bit": (frame(HELLO, first=0xA1), BROKEN),
    "all reserved bits": (frame(HELLO, first=0xF1), BROKEN),
    "opcode 3": (frame(HELLO, first=0x83), BROKEN),
    "opcode 7": (frame(HELLO, first=0x87), BROKEN),
    "opcode 11": (control(11), BROKEN),
    "opcode 15": (control(15), BROKEN),
    "a ping in fragments": (control(9, fin=0), BROKEN),
    "a ping of 126 bytes": (control(9, b"x" * 126), BROKEN),
    "a close of 126 bytes": (control(8, b"x" * 126), BROKEN),
    "a close of one byte": (control(8, b"x"), BROKEN),
    "close code 0": (control(8, b"\0\0"), BROKEN),
    "close code 1005": (control(8, struct.pack("!H", 1005)), BROKEN),
    "close code 65535": (control(8, b"\xff\xff"), BROKEN),
    "a close reason that is no text": (control(8, struct.pack("!H", 1000) + b"\xff"), NOT_TEXT),
    "a continuation of nothing": (frame(b"x", first=0x80), BROKEN),
    "a text inside a text": (frame(b"a", first=0x01) + frame(b"b"), BROKEN),
    "a length not minimal": (frame(b"x" * 5, length=struct.pack("!BH", 126, 5)), BROKEN),
    "a long length not minimal": (frame(b"x" * 5, length=struct.pack("!BQ", 127, 5)), BROKEN),
    "a length beyond 2^63": (frame(b"x", length=struct.pack("!BQ", 127, 2**63)), BROKEN),
    "noise": (bytes(range(256)) * 64, BROKEN),
    "an HTTP request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", BROKEN),
    "a second violation at once": (frame(b"", masked=False) + frame(HELLO, first=0x83) + control(8, b"x"), BROKEN),
}

# The parser under uvicorn takes lengths that are longer than they need be, and looks at their size first.
UNDER_UVICORN: dict[str, object] = {
    "a length not minimal": ERROR,
    "a long length not minimal": ERROR,
    "a length beyond 2^63": TOO_LARGE,
}


class World:
    def __init__(self, gateway: FlowProcess) -> None:
        self.gateway = gateway
        make_operators(gateway, "ann")
        browser = Browser(gateway)
        browser.sign_in("ann", PASSWORD)
        self.paths = {"public": ("/ws/chat/", ""), "admin": ("/ws/chat/admin/", browser.cookie)}

    def socket(self, kind: str) -> RawSocket:
        path, cookie = self.paths[kind]
        line = RawSocket(self.gateway.port, path, cookie=cookie)
        assert line.status == 101
        return line


@pytest.fixture(scope="module", params=["daphne", pytest.param("uvicorn", marks=long_run)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with FlowProcess(request.param) as gateway:
        yield World(gateway)


def outcome(line: RawSocket) -> object:
    """The first thing that is said: a closing code, or the type of a frame."""
    found = line.read()
    assert found is not None, "cut without a word"
    opcode, payload = found
    while opcode == 10:
        found = line.read()
        assert found is not None
        opcode, payload = found
    return int.from_bytes(payload[:2], "big") if opcode == 8 else json.loads(payload)["type"]


@pytest.mark.parametrize("kind", ["public", "admin"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_is_answered(world: World, kind: str, name: str) -> None:
    sent, expected = HOSTILE[name]
    if world.gateway.server == "uvicorn":
        expected = UNDER_UVICORN.get(name, expected)
    with world.socket(kind) as line:
        line.send(sent)
        assert outcome(line) == expected
        if expected == ERROR:  # And it goes on.
            line.send(frame(b'{"type":"nope"}'))
            assert outcome(line) == ERROR


def test_what_is_whole_is_taken(world: World) -> None:
    """The largest frame, fragments with a ping in between, and a frame a byte at a time."""
    largest = HELLO[:-1] + b',"token":null' + b" " * (FRAME_BYTES - len(HELLO) - 13) + b"}"
    for sent in (largest, None):
        with world.socket("public") as line:
            if sent is not None:
                line.send(frame(sent))
            else:
                line.send(frame(HELLO[:5], first=0x01), control(9, b"here?"))
                for byte in frame(HELLO[5:], first=0x80):
                    line.send(bytes([byte]))
            assert outcome(line) == "welcome"


def test_none_of_it_left_a_traceback(world: World) -> None:
    """After all the others, since it looks at what they left."""
    log = world.gateway.log_text()
    assert "Traceback" not in log
    assert "took too long to shut down" not in log
    assert world.gateway.running
