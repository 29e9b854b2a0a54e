"""Rows over SQL that is kept are what Django's own queries give."""

import pytest
from django.contrib.auth import get_user_model

from gateway.kept import Kept
from gateway.models import Bot, Conversation

pytestmark = pytest.mark.django_db


def test_a_whole_row_is_the_models_instance() -> None:
    user = get_user_model().objects.create_user("ann", is_staff=True)
    found = Kept(get_user_model(), "id").instance(user.pk)
    assert found == user
    assert vars(found).keys() == vars(user).keys() - {"_password"}
    assert (found.date_joined, found.is_staff, found.last_login) == (user.date_joined, True, None)
    assert not found._state.adding


def test_columns_are_what_the_fields_make_of_them() -> None:
    bot = Bot.objects.create(name="b")
    row = Conversation.objects.create(bot=bot, protocol="p", key="k", address={"chat_id": 7})
    kept = Kept(Conversation, "uuid", "id", "bot", "holder", "address", "uuid", "open")
    assert kept.row(row.uuid) == [row.pk, bot.pk, None, {"chat_id": 7}, row.uuid, False]


def test_no_row_is_none() -> None:
    kept = Kept(Conversation, "id", "seq")
    assert kept.row(0) is None
    assert kept.instance(0) is None
