"""S4: hostile frames on the public socket. An error frame or one of our closing codes, and never a traceback."""

import json
import struct

from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.flow_process import RawSocket, frame
from tests.gateway_process import GatewayProcess
from tests.outside.clients import Visitor

TEXT, BINARY = 0x81, 0x82
OURS = {4003, 4008, 4009, 4012, 4013, 1002, 1007, 1009}
DEEP = 10_000


def texts() -> list[bytes]:
    """What is text, and no frame of ours."""
    message = '{"type": "message", "id": "a", "text": '
    raw = [
        "", " ", "null", "true", "7", '"x"', "[]", "{", "}", "{}", "NaN", "<x/>", "{'type': 'hello'}", '{"type": 5}',
        '{"type": "dance"}', '{"type": null}', '{"type": ["message"]}', '{"type": "message"}', message + "1}",
        message + "null}", message + '["x"]}', message + '{"x": 1}}', message + '""}', message + '" "}',
        message + '"\\ud800"}', message + '"\\u0000"}', message + "9" * 5000 + "}", message + "1e999999}",
        message + "[" * DEEP + "]" * DEEP + "}", "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP,
        '{"type": "message", "type": "hello", "id": "a", "id": "b"}', '{"type": "hello", "since": -1}',
        '{"type": "hello", "since": 1e400}', '{"type": "hello", "since": "1"}', '{"type": "hello", "since": NaN}',
        '{"type": "hello", "bot": "../../etc"}', '{"type": "hello", "bot": 1}', '{"type": "hello", "token": {}}',
        '{"type": "hello", "token": "' + "x" * 5000 + '"}', '{"type": "button", "id": "a"}', '{"type": "take"}',
        '{"type": "button", "id": "a", "data": "' + "x" * 65 + '"}', '{"type": "watch", "conversation": "1"}',
        json.dumps({"type": "message", "id": "i" * 500, "text": "x"}), "\ufeff{}", "\u202e{}", "\x00",
        json.dumps({"type": "message", "id": "a", "text": "x" * 5000}), '{"type": "say", "text": "x"}',
    ]  # fmt: skip
    return [frame(text.encode("utf-8", "surrogatepass")) for text in raw]


def bytes_() -> list[bytes]:
    """What is no text, or no frame at all."""
    return [
        frame(b"\xff\xfe\xfd"),
        frame(b"\xc3\x28"),
        frame(b"\xed\xa0\x80"),
        frame(b"x" * 10, first=BINARY),
        frame(b"{}", first=BINARY),
        frame(b"x" * 70_000),
        frame(b"x" * 200_000, first=BINARY),
        frame(b"{}", masked=False),
        frame(b"{}", first=0xF1),  # reserved bits
        frame(b"{}", first=0x83),  # a reserved opcode
        frame(b"x" * 126, first=0x89),  # a ping that is too long
        frame(first=0x80),  # a continuation of nothing
        frame(b"{}", length=b"\x7f" + struct.pack("!Q", 2**62)),
    ]


@promise("S4")
def hostile_frames_are_refused(long: bool) -> Finding:
    hostile = [*texts(), *bytes_()]
    with lab("trouble") as here:
        here.gateway.start()
        wrong = [raw[:60] for raw in hostile if not is_refused(here.gateway, raw)]
        with Visitor(here.gateway) as visitor:
            visitor.send("message", id="a", text="after")
            visitor.expect("message", text="echo after")
        tracebacks = here.gateway.log_text().count("Traceback")
    figure = f"{len(hostile)} hostile frames: {len(wrong)} not refused as they should be, {tracebacks} tracebacks"
    return Finding(not wrong and not tracebacks, figure if not wrong else f"{figure}: {wrong[:3]}")


def is_refused(gateway: GatewayProcess, raw: bytes) -> bool:
    """Answered with an error frame, or closed with a code that says why. A visitor who has said hello sends it.

    What is a message but for characters that nobody can write down is one (`ack`), without them.
    """
    with RawSocket(gateway.port, "/ws/chat/") as line:
        line.send(frame(b'{"type": "hello"}'))
        while (found := line.read()) is not None and b'"welcome"' not in found[1]:
            pass
        line.send(raw)
        try:
            while (found := line.read()) is not None:
                opcode, payload = found
                if opcode == 8:
                    return int.from_bytes(payload[:2], "big") in OURS
                if opcode == 1 and json.loads(payload)["type"] in ("error", "ack", "welcome"):
                    return True
        except TimeoutError:
            return False
    return False
