"""Origins and tokens: whoever has no business in a conversation has nothing of it."""

import asyncio
import secrets
import uuid
from typing import Any

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from gateway.models import Bot
from gateway.web import origins, tokens
from gateway.web.tokens import BadToken
from tests.web_sockets import ORIGIN, Client, Web, web

__all__ = ["web"]

SHOP = "https://shop.example"
STRANGE = [
    "https://shop.example.evil.example", "https://evilshop.example", "https://shop.example:8443", "http://shop.example",
    "https://me@shop.example", "https://shop.example@evil.example", "https://shop.example.", "https://www.shop.example",
    "https://shop.example/", "https://shop.example%2eevil.example", "https://shop.example\\.evil.example", "HTTPS://SHOP",
    "https://ѕhop.example", "https://xn--hop-jrc.example", "https://shop。example.evil.example", "https://*", "*",
    "null", "file://", "chrome-extension://shop.example", "https://[::ffff:1.2.3.4]", "", " ",
    "https://shop.example, https://shop.example",
    "https://shop.example https://evil.example", "https://shop.example#", "https://shop.example?", "//shop.example",
]  # fmt: skip
# Written otherwise, these are the very origin: a browser never does, and nobody else gains anything.
SAME = {"https://shop.example/", "https://shop.example#", "https://shop.example?"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sent", STRANGE)
async def test_a_strange_origin_is_refused_with_its_reason(
    web: Web, settings: Any, caplog: pytest.LogCaptureFixture, sent: str
) -> None:
    settings.WIDGET_ORIGINS = [SHOP]
    client = web.client_to_public(origin=None, headers=[(b"origin", sent.encode())])
    assert await client.open() is (sent in SAME)
    if sent not in SAME:
        assert "WIDGET_ORIGINS" in caplog.text
        assert origins.as_sent(client.wire.scope) in caplog.text
    assert await web.client_to_public(origin=SHOP).open()
    assert not await web.client_to_public(origin=None).open()


@pytest.mark.django_db(transaction=True)
async def test_another_bots_page_is_told_why(web: Web, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.WIDGET_ORIGINS = [SHOP]
    await web.engine.read(
        lambda: Bot.objects.update_or_create(name="bot", defaults={"widget_origins": "https://club.example"})
    )
    client = await web.socket(origin=SHOP)
    await client.send("hello", bot="bot")
    assert (await client.expect("error"))["code"] == "bad_origin"
    assert await client.ended() == 4003
    assert SHOP in caplog.text
    assert "widget origins" in caplog.text


# Tokens


@given(st.uuids(), st.uuids(), st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_a_token_opens_its_own_conversation_with_its_own_bot(one: Any, other: Any, bot: str, another: str) -> None:
    token = tokens.issue(one, bot)
    assert tokens.read(token, bot) == one
    if bot != another:
        with pytest.raises(BadToken):
            tokens.read(token, another)
    if one != other:
        assert tokens.issue(other, bot).rsplit(":", 1)[1] != token.rsplit(":", 1)[1]


@given(st.data())
def test_a_token_with_any_letter_changed_opens_nothing(data: Any) -> None:
    token = tokens.issue(uuid.uuid4(), "bot")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != token[place]))
    with pytest.raises(BadToken):
        tokens.read(token[:place] + letter + token[place + 1 :], "bot")


@given(st.text(max_size=600))
def test_no_text_is_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        tokens.read(text, "bot")


def test_a_token_expires_and_is_bound_to_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = uuid.uuid4()
    token = tokens.issue(visitor, "bot")
    for salt in ("", "other"):
        with pytest.raises(BadToken):
            tokens.read(signing.TimestampSigner(salt=salt).sign_object([visitor.hex, "bot"]), "bot")
    later = signing.time.time() + tokens.SECONDS
    monkeypatch.setattr(signing.time, "time", lambda: later - 10)
    assert tokens.read(token, "bot") == visitor
    monkeypatch.setattr(signing.time, "time", lambda: later + 10)
    with pytest.raises(BadToken):
        tokens.read(token, "bot")


def test_a_token_cannot_be_guessed() -> None:
    signature = tokens.issue(uuid.uuid4(), "bot").rsplit(":", 1)[1]
    assert len(signature) * 6 >= 128


@pytest.mark.django_db(transaction=True)
async def test_a_conversations_id_opens_nothing(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="hush")
    await visitor.expect("message", id="1")
    owned = visitor.welcome["conversation"]
    for token in (owned, owned.replace("-", ""), f"{owned}:x:y", visitor.welcome["token"].split(":")[0], ""):
        thief = await web.socket()
        await thief.send("hello", token=token, since=0)
        await thief.expect("error", code="bad_token")
        welcome = await thief.expect("welcome")
        assert welcome["conversation"] != owned
        await thief.send("message", id="2", text="choose")
        await thief.expect("message", id="2")
        assert "hush" not in [frame["text"] for frame in thief.messages]


@pytest.mark.django_db(transaction=True)
async def test_a_token_is_renewed_and_the_old_one_still_serves_the_other_tab(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await web.visitor()
    old = visitor.welcome["token"]
    later = signing.time.time() + tokens.SECONDS - 60
    monkeypatch.setattr(signing.time, "time", lambda: later)
    renewed = (await web.visitor(old)).welcome
    assert renewed["conversation"] == visitor.welcome["conversation"]
    assert (await web.visitor(old)).welcome["conversation"] == visitor.welcome["conversation"]
    monkeypatch.setattr(signing.time, "time", lambda: later + 3600)
    assert (await web.visitor(renewed["token"])).welcome["conversation"] == visitor.welcome["conversation"]
    late = await web.socket()
    await late.send("hello", token=old)
    await late.expect("error", code="bad_token")


# Nobody sees another's words

CROWD = 46  # people: 1,035 pairs


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
async def test_a_thousand_pairs_see_nothing_of_each_other(web: Web) -> None:
    """Everybody writes at once, some in two tabs and some after coming back; each word holds its writer's secret."""
    crowd = [await web.visitor() for _ in range(CROWD)]
    marks = [secrets.token_hex(8) for _ in crowd]
    tabs: list[tuple[int, Client]] = list(enumerate(crowd))
    tabs += [(n, await web.visitor(crowd[n].welcome["token"])) for n in range(0, CROWD, 3)]
    await asyncio.gather(*(talk(client, marks[n], turn) for turn, (n, client) in enumerate(tabs)))
    tabs += [(n, await web.visitor(crowd[n].welcome["token"])) for n in range(0, CROWD, 4)]
    await asyncio.gather(*(client.expect("message", sender="bot") for _, client in tabs))
    for n, client in tabs:
        seen = str(client.frames)
        assert marks[n] in seen
        assert [other for other in marks if other in seen] == [marks[n]]
        assert {frame["conversation"] for frame in client.frames if "conversation" in frame} == {
            crowd[n].welcome["conversation"]
        }


async def talk(client: Client, mark: str, turn: int) -> None:
    for number in range(3):
        await client.send("message", id=f"{turn}-{number}", text=f"{mark} says {number}")
        await client.send("typing")
    await client.expect("message", text=f"You said: {mark} says 2")


def test_our_own_origin_is_the_tests_own() -> None:
    assert ORIGIN in origins.own()
