"""The desk: what it answers by itself, when it fetches a human, and how it takes up the thread."""

import pytest
import pytest_asyncio
from django.test import Client

from bots import desk, matching
from bots.desk import DeskConsumer
from bots.models import FrequentQuestion
from gateway.testing import Chat, protocols

pytestmark = pytest.mark.django_db(transaction=True)
everywhere = pytest.mark.parametrize("protocol", protocols())
HOURS = FrequentQuestion(question="What are your opening hours?", keywords="open close time", answer="9 to 17.")
REFUNDS = FrequentQuestion(question="Can I get a refund?", keywords="money back, return", answer="Within 14 days.")
CLOSED = FrequentQuestion(question="Do you ship to Mars?", answer="Not yet.", enabled=False)


@pytest_asyncio.fixture
async def table() -> None:
    await FrequentQuestion.objects.all().adelete()
    for entry in (HOURS, REFUNDS, CLOSED):
        await FrequentQuestion.objects.acreate(
            question=entry.question, keywords=entry.keywords, answer=entry.answer, enabled=entry.enabled
        )


# Matching


@pytest.mark.parametrize(
    ("asked", "entry"),
    [
        ("what are your opening hours", HOURS),
        ("OPENING HOURS???", HOURS),
        ("hours", HOURS),
        ("Hello, my name is Ann and I should like to know your opening hours, please", HOURS),
        ("when do you close", HOURS),
        ("Réfunds", REFUNDS),
        ("I want my money back", REFUNDS),
        ("can i return shoes", REFUNDS),
        ("open a refund", HOURS),
        ("hello", None),
        ("", None),
        ("👋", None),
        ("my package came with a broken lid and the neighbour says it is time", None),
        ("do you sell bicycles", None),
        (" ".join(f"w{n}" for n in range(900)) + " opening", None),
    ],
)
def test_the_entry_that_is_meant(asked: str, entry: FrequentQuestion | None) -> None:
    assert matching.best(asked, [HOURS, REFUNDS]) is entry


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("human", True),
        ("I want to talk to a HUMAN, please!", True),
        ("is there an operator?", True),
        ("get me a real person", True),
        ("price per person", False),
        ("humanities", False),
    ],
)
def test_who_wants_a_human(text: str, wanted: bool) -> None:
    assert desk.wants_human(text) is wanted


# Answering


@everywhere
async def test_what_it_knows(protocol: str, table: None) -> None:
    async with Chat(DeskConsumer.as_asgi(), protocol=protocol) as ann:
        await ann.says("hello")
        assert await ann.hears() == desk.GREETING
        assert ann.buttons == [[HOURS.question], [REFUNDS.question], ["Ask a human"]]
        await ann.presses(REFUNDS.question)
        assert await ann.hears() == "Within 14 days."
        await ann.says("and when are you open?")
        assert await ann.hears() == "9 to 17."
        assert await ann.state() == "bot"
        assert await ann.errors() == []


async def test_a_change_in_the_table_counts_at_once(table: None) -> None:
    async with Chat(DeskConsumer.as_asgi()) as ann:
        await ann.says("hello")
        await ann.hears()
        await FrequentQuestion.objects.filter(question=HOURS.question).aupdate(answer="Always.")
        await FrequentQuestion.objects.filter(question=REFUNDS.question).adelete()
        await ann.says("opening hours?")
        assert await ann.hears() == "Always."
        await ann.presses(REFUNDS.question)
        assert await ann.hears() == desk.GONE


# A human


@everywhere
async def test_all_its_states(protocol: str, table: None) -> None:
    async with Chat(DeskConsumer.as_asgi(), protocol=protocol) as ann:
        await ann.says("do you sell bicycles?")
        assert await ann.hears() == desk.CALLED
        assert await ann.state() == "waiting"
        assert await ann.notes() == ["I do not know: “do you sell bicycles?”"]
        await ann.says("hello?")
        assert await ann.hears() == desk.PATIENCE
        await ann.says("opening hours?")
        await ann.hears_nothing()
        olga = await ann.operator("Olga")
        await olga.takes_over()
        await olga.says("We do!")
        assert await ann.hears() == "We do!"
        await ann.says("thank you")
        await ann.hears_nothing()
        await olga.hands_back()
        assert await ann.hears() == "Olga has handed you back to me. Is everything solved?"
        assert ann.buttons == [["Yes", "No"]]
        await ann.presses("No")
        assert await ann.hears() == desk.CALLED
        assert await ann.state() == "waiting"
        await olga.takes_over()
        await olga.says("Blue ones too.")
        await olga.hands_back()
        assert [await ann.hears(), await ann.hears()][0] == "Blue ones too."
        await ann.says("Yes!")
        assert await ann.hears() == desk.GLAD
        assert await ann.state() == "ended"
        assert await ann.errors() == []


@everywhere
async def test_handed_back_without_a_word_it_asks_again(protocol: str, table: None) -> None:
    async with Chat(DeskConsumer.as_asgi(), protocol=protocol) as ann:
        await ann.says("a human please")
        assert await ann.hears() == desk.CALLED
        olga = await ann.operator()
        await olga.takes_over()
        assert await ann.state() == "held"
        await olga.hands_back()
        assert await ann.hears() == desk.MISSED
        assert await ann.state() == "waiting"


async def test_an_operator_who_only_looked_leaves_no_trace(table: None) -> None:
    async with Chat(DeskConsumer.as_asgi()) as ann:
        await ann.says("opening hours")
        await ann.hears()
        olga = await ann.operator()
        await olga.takes_over()
        await olga.hands_back()
        await ann.hears_nothing()


async def test_whoever_asks_something_else_instead_of_yes_or_no_is_answered(table: None) -> None:
    async with Chat(DeskConsumer.as_asgi()) as ann:
        await ann.says("opening hours")
        await ann.hears()
        olga = await ann.operator()
        await olga.takes_over()
        await olga.says("hello")
        await olga.hands_back()
        assert [await ann.hears(), (await ann.hears())[:4]] == ["hello", "Olga"]
        await ann.says("can I get a refund?")
        assert await ann.hears() == "Within 14 days."
        await ann.presses("Yes")
        await ann.hears_nothing()
        assert await ann.state() == "bot"


async def test_the_button_for_a_human_and_a_restart_while_waiting(table: None) -> None:
    async with Chat(DeskConsumer.as_asgi()) as ann:
        await ann.says("hello")
        await ann.hears()
        await ann.presses("Ask a human")
        assert await ann.hears() == desk.CALLED
        await ann.restart()
        await ann.presses("Ask a human")
        assert await ann.hears() == desk.PATIENCE
        assert await ann.state() == "waiting"
        assert await ann.notes() == ["Pressed: ask a human"]


def test_the_table_is_kept_in_the_admin(admin_client: Client) -> None:
    form = {"question": "Parking?", "keywords": "car", "answer": "Behind the house.", "enabled": "on"}
    assert admin_client.post("/admin/bots/frequentquestion/add/", form).status_code == 302
    assert b"Parking?" in admin_client.get("/admin/bots/frequentquestion/").content
