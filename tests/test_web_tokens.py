"""The visitor's token opens one conversation with one bot, for thirty days."""

import time
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web import tokens
from gateway.web.tokens import BadToken


def test_a_token_opens_its_conversation() -> None:
    visitor = tokens.new_visitor()
    assert tokens.read(tokens.issue(visitor, "bot"), "bot") == visitor


def test_another_bots_token_is_none() -> None:
    with pytest.raises(BadToken):
        tokens.read(tokens.issue(uuid4(), "bot"), "shop")


def test_a_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor, now = uuid4(), time.time()
    token = tokens.issue(visitor, "bot")
    monkeypatch.setattr(time, "time", lambda: now + tokens.SECONDS - 60)
    assert tokens.read(token, "bot") == visitor
    monkeypatch.setattr(time, "time", lambda: now + tokens.SECONDS + 60)
    with pytest.raises(BadToken):
        tokens.read(token, "bot")


def test_another_key_signs_other_tokens(settings: object) -> None:
    token = tokens.issue(uuid4(), "bot")
    settings.SECRET_KEY = "another key than before"  # type: ignore[attr-defined]
    with pytest.raises(BadToken):
        tokens.read(token, "bot")


@given(st.data())
def test_a_changed_token_is_none(data: st.DataObject) -> None:
    token = tokens.issue(uuid4(), "bot")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(exclude_categories=()).filter(lambda c: c != token[place]))
    with pytest.raises(BadToken):
        tokens.read(token[:place] + letter + token[place + 1 :], "bot")


@given(st.text(st.characters(exclude_categories=()), max_size=600))
def test_any_text_is_no_token(text: str) -> None:
    with pytest.raises(BadToken):
        tokens.read(text, "bot")


def test_a_conversations_name_is_no_token() -> None:
    with pytest.raises(BadToken):
        tokens.read(str(uuid4()), "bot")


def test_visitors_are_never_the_same() -> None:
    assert len({tokens.new_visitor() for _ in range(1000)}) == 1000
