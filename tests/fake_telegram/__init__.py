"""A Bot API server for tests: real sockets, Telegram's own rules, faults on demand.

async with FakeTelegram() as fake:                  # or, beside synchronous tests: `with in_thread(FakeTelegram())`
    ada = fake.user(7, "Ada")
    ada.says("hi")                                  # waits for getUpdates, or goes to the webhook
    await fake.wait_for(lambda: ada.chat.answers == ["You said: hi"])
"""

from tests.fake_telegram.bot import FakeBot, wire_token
from tests.fake_telegram.calls import Call
from tests.fake_telegram.chats import Business, FakeChat, Topic
from tests.fake_telegram.conservation import Tally, tally
from tests.fake_telegram.faults import cut, flood, half_answer, hang, no_json, refuse, server_error, slow
from tests.fake_telegram.people import FakeUser
from tests.fake_telegram.samples import KINDS, one_of_each_kind
from tests.fake_telegram.server import FakeTelegram
from tests.fake_telegram.threads import in_thread

__all__ = [
    "KINDS",
    "Business",
    "Call",
    "FakeBot",
    "FakeChat",
    "FakeTelegram",
    "FakeUser",
    "Tally",
    "Topic",
    "cut",
    "flood",
    "half_answer",
    "hang",
    "in_thread",
    "no_json",
    "one_of_each_kind",
    "refuse",
    "server_error",
    "slow",
    "tally",
    "wire_token",
]
