"""The survey: what it asks, what it accepts, and what is kept."""

import asyncio
import threading

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bots import survey
from bots.models import SurveyAnswers
from bots.survey import QUESTIONS, SurveyConsumer
from gateway.testing import Chat, protocols

pytestmark = pytest.mark.django_db(transaction=True)
everywhere = pytest.mark.parametrize("protocol", protocols())
SOURCE, SCORE, AGAIN, REMARK = (question.text for question in QUESTIONS)


async def begun(chat: Chat) -> None:
    await chat.says("hello")
    assert await chat.hears() == survey.WELCOME
    assert await chat.hears() == SOURCE


async def stored() -> list[tuple[int, str, int, str, str]]:
    columns = SurveyAnswers.objects.order_by("pk").values_list("round", "source", "score", "again", "remark")
    return [row async for row in columns]


@everywhere
async def test_by_buttons_where_there_are_some(protocol: str) -> None:
    async with Chat(SurveyConsumer.as_asgi(), protocol=protocol, name="Ada") as ada:
        await begun(ada)
        assert ada.buttons == [["A friend", "A search", "Elsewhere"]]
        await ada.presses("A friend")
        assert await ada.sees("✓ A friend") == f"{SOURCE}\n✓ A friend"
        assert ada.buttons == []
        assert await ada.hears() == SCORE
        await ada.says("9")
        assert await ada.hears() == AGAIN
        await ada.presses("Maybe")
        assert await ada.hears() == REMARK
        await ada.presses("Skip")
        assert await ada.hears() == survey.THANKS
        assert await ada.errors() == []
        assert await stored() == [(1, "friend", 9, "maybe", "")]
        kept = await SurveyAnswers.objects.aget()
        assert (kept.name, kept.protocol) == ("Ada", protocol)
        assert kept.conversation == (await ada.conversation()).uuid


@everywhere
async def test_typed_answers_are_checked(protocol: str) -> None:
    async with Chat(SurveyConsumer.as_asgi(), protocol=protocol) as ada:
        await begun(ada)
        await ada.says("the wind")
        assert await ada.hears() == "Please choose one: A friend, A search, Elsewhere."
        assert ada.buttons == [["A friend", "A search", "Elsewhere"]]
        await ada.says(" a SEARCH ")
        assert await ada.hears() == SCORE
        for wrong in ("11", "-1", "many", "9.5", "9" * 5000):
            await ada.says(wrong)
            assert await ada.hears() == "Please write a number from 0 to 10."
        await ada.says("10")
        assert await ada.hears() == AGAIN
        await ada.says("no")
        assert await ada.hears() == REMARK
        await ada.says("x" * 1001)
        assert await ada.hears() == "Please write at most 1000 characters, or press Skip."
        await ada.says("none\0 of \ud800 that")
        assert await ada.hears() == survey.THANKS
        assert await stored() == [(1, "search", 10, "no", "none of ? that")]


@everywhere
async def test_old_buttons_do_no_harm(protocol: str) -> None:
    async with Chat(SurveyConsumer.as_asgi(), protocol=protocol) as ada:
        await begun(ada)
        await ada.says("nonsense")
        await ada.hears()
        await ada.presses("A friend")
        assert await ada.hears() == SCORE
        # The first message of the question still has its buttons: only the newest one with its ref lost them.
        await ada.presses("A search")
        await ada.hears_nothing()
        session = await ada.session()
        assert (session["at"], session["answers"]) == (1, {"source": "friend"})


async def test_a_button_of_an_earlier_round_does_not_answer_this_one() -> None:
    async with Chat(SurveyConsumer.as_asgi()) as ada:
        await begun(ada)
        for answer in ("nonsense", "A friend", "7", "Yes", "Skip"):
            await ada.says(answer)
            await ada.hears()
        await ada.presses("Once more")
        assert [await ada.hears(), await ada.hears()] == [survey.WELCOME, SOURCE]
        await ada.presses("1.0=search")
        await ada.hears_nothing()
        assert (await ada.session())["at"] == 0
        await ada.presses("2.0=search")
        assert await ada.hears() == SCORE


async def test_a_second_round_is_a_second_row() -> None:
    async with Chat(SurveyConsumer.as_asgi()) as ada:
        for score in ("1", "2"):
            await begun(ada) if score == "1" else None
            for answer in ("A friend", score, "Yes", "Skip"):
                await ada.says(answer)
                last = await ada.hears()
            assert last == survey.THANKS
            await ada.says("anything")
            assert await ada.hears() == survey.DONE
            await ada.presses("Once more")
            assert [await ada.hears(), await ada.hears()] == [survey.WELCOME, SOURCE]
        assert [row[:3] for row in await stored()] == [(1, "friend", 1), (2, "friend", 2)]


async def test_start_begins_anew() -> None:
    async with Chat(SurveyConsumer.as_asgi()) as ada:
        await begun(ada)
        await ada.says("A friend")
        assert await ada.hears() == SCORE
        await ada.says("/start")
        assert [await ada.hears(), await ada.hears()] == [survey.WELCOME, SOURCE]
        assert (await ada.session())["answers"] == {}


@pytest.mark.parametrize("killed", [False, True])
async def test_a_restart_in_the_middle_repeats_nothing(killed: bool) -> None:
    async with Chat(SurveyConsumer.as_asgi()) as ada:
        await begun(ada)
        await ada.presses("A friend")
        assert await ada.hears() == SCORE
        await ada.session()
        await ada.restart(killed=killed)
        await ada.hears_nothing()
        for answer, question in (("7", AGAIN), ("Yes", REMARK), ("fine", survey.THANKS)):
            await ada.says(answer)
            assert await ada.hears() == question
        assert await stored() == [(1, "friend", 7, "yes", "fine")]


async def test_the_last_answer_is_kept_once_though_it_is_fed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is written, and the process dies before the event is settled."""
    whole, written, dead = SurveyConsumer.finish, threading.Event(), threading.Event()

    def hang_after(bot: SurveyConsumer) -> None:
        whole(bot)
        written.set()
        dead.wait(10)

    async with Chat(SurveyConsumer.as_asgi()) as ada:
        await begun(ada)
        for answer in ("A friend", "7", "Yes"):
            await ada.says(answer)
            await ada.hears()
        monkeypatch.setattr(SurveyConsumer, "finish", hang_after)
        await ada.says("once")
        assert await asyncio.to_thread(written.wait, 10)
        monkeypatch.setattr(SurveyConsumer, "finish", whole)
        await ada.restart(killed=True)
        dead.set()
        assert await ada.hears() == survey.THANKS
        await ada.hears_nothing()
        answered = (await ada.conversation()).messages.get
        assert (await asyncio.to_thread(lambda: answered(text="once").feedings)) == 2
        assert await stored() == [(1, "friend", 7, "yes", "once")]


async def test_silence_in_the_middle_is_told_and_after_the_end_is_not() -> None:
    async with Chat(SurveyConsumer.as_asgi()) as ada:
        await begun(ada)
        await ada.silence()
        assert await ada.hears() == survey.STOPPED
        await ada.presses("A friend")
        assert [await ada.hears(), await ada.hears()] == [survey.WELCOME, SOURCE]
        for answer in ("A friend", "7", "Yes", "Skip"):
            await ada.says(answer)
            await ada.hears()
        await ada.silence()
        await ada.hears_nothing()


# The admin


def test_the_admin_lists_filters_and_counts(admin_client: Client, admin_user: User) -> None:
    for number, (source, score) in enumerate([("friend", 10), ("friend", 5), ("search", 3)]):
        SurveyAnswers.objects.create(
            conversation="00000000-0000-0000-0000-000000000001",
            round=number,
            name=f"Ada {number}",
            protocol="telegram",
            source=source,
            score=score,
            again="yes",
        )
    page = admin_client.get("/admin/bots/surveyanswers/").content.decode()
    counts = " ".join(page.partition('id="counts">')[2].partition("</p>")[0].split())
    assert counts == "Heard of us: friend 2, search 1 · would use it again: yes 3 · recommend us: 6.0 of 10"
    filtered = admin_client.get("/admin/bots/surveyanswers/?source=search").content.decode()
    assert "Ada 2" in filtered
    assert "Ada 1" not in filtered
    assert "Heard of us: search 1" in " ".join(filtered.split())
    assert admin_client.get("/admin/bots/surveyanswers/add/").status_code == 403
    assert admin_client.get("/admin/bots/surveyanswers/?nonsense=1").status_code == 302
