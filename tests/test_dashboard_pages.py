"""The dashboard's page and files: rights, charts with their tables, CSV, and filters that nothing breaks."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.dashboard import Table
from gateway.models import Bot, Conversation, Grant, Message, Role, Tally
from gateway.web import charts
from gateway.web.dashboard import TABLES
from gateway.web.models import Rating
from gateway.web.tables import csv_text, guarded

pytestmark = pytest.mark.django_db

PAGE = "/console/dashboard/"


@pytest.fixture
def ann(client: Client) -> Client:
    user = User.objects.create_user("ann", is_staff=True)
    user.groups.add(Group.objects.get(name="Console: watch"))
    client.force_login(user)
    return client


@pytest.fixture
def lively() -> Conversation:
    """Two bots, of which one is not everybody's."""
    today = timezone.now().date()
    for name, count in (("shop", 7), ("secret", 4211)):
        bot = Bot.objects.create(name=name)
        for days in range(3):
            day = today - timedelta(days=days)
            Tally.objects.create(bot=bot, protocol="telegram", day=day, hour=9, came_in=count, by_bot=count, visits=2)
        place = Conversation.objects.create(bot=bot, protocol="telegram", key=name)
        Rating.objects.create(bot=bot, conversation=place, seq=1, score=4, text=f"nice {name} <script>")
        Message.objects.create(
            conversation=place, bot=bot, direction="out", kind="message", sender="bot", seq=1, rev=1, method="m",
            status="failed", error=f"={name} is gone",
        )  # fmt: skip
    Grant.objects.create(bot=bot, group=Group.objects.create(name="few"), role=Role.WATCH)
    return Conversation.objects.get(key="shop")


def test_each_part_has_a_picture_and_a_table(ann: Client, lively: Conversation) -> None:
    page = ann.get(PAGE).content.decode()
    assert page.count('<svg class="chart"') == page.count('<table class="table"') == len(TABLES) - 1
    assert "Nothing in this time." in page, "there are no visits yet"
    assert "shop is gone" in page
    assert "nice shop &lt;script&gt;" in page
    assert " style=" not in page, "the policy allows no styles in the page"


def test_bots_that_one_may_not_see_are_not_in_it(ann: Client, lively: Conversation) -> None:
    assert "secret" not in ann.get(PAGE).content.decode()
    for name in TABLES:
        text = ann.get(f"{PAGE}{name}.csv").content.decode()
        assert "secret" not in text
        assert "4211" not in text
    told = ann.get(PAGE, {"bot": "secret"}).content.decode()
    assert "Select a valid choice" in told
    assert "4211" not in told
    assert "8422" not in told


@pytest.mark.parametrize(
    ("role", "status"), {"": 302, "visitor": 403, "watch": 200, "answer": 200, "boss": 200}.items()
)
def test_it_is_for_operators(client: Client, role: str, status: int) -> None:
    if role == "boss":
        client.force_login(User.objects.create_superuser("boss"))
    elif role:
        user = User.objects.create_user("bea", is_staff=role != "visitor")
        user.groups.set(Group.objects.filter(name=f"Console: {role}"))
        client.force_login(user)
    for address in ("", *(f"{name}.csv" for name in TABLES)):
        assert client.get(PAGE + address).status_code == status
        assert client.post(PAGE + address).status_code == (405 if status == 200 else client.post(PAGE).status_code)


def test_a_file_says_what_the_page_says(ann: Client, lively: Conversation) -> None:
    answer = ann.get(f"{PAGE}messages.csv", {"bot": "shop", "period": "7"})
    lines = answer.content.decode().splitlines()
    assert lines[0] == "day,telegram"
    assert lines[-1] == f"{timezone.now().date()},14"
    assert len(lines) == 8
    assert answer["Content-Disposition"].startswith("attachment")
    assert "'=shop is gone" in ann.get(f"{PAGE}failures.csv").content.decode()


CELLS = {
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM": "'@SUM",
    "\t=1": "'\t=1",
    " =1": "' =1",
    "a=1": "a=1",
    "": "",
}


@pytest.mark.parametrize(("cell", "safe"), CELLS.items())
def test_no_cell_is_a_formula(cell: str, safe: str) -> None:
    assert guarded(cell) == safe


def test_numbers_stay_numbers() -> None:
    assert csv_text(["n", "m"], [[-1, None], [0.5, 2]]) == "n,m\r\n-1,\r\n0.5,2\r\n"


HOSTILE = [
    "' OR 1=1 --", "\0", "9" * 400, "%s", "bot__name", "1; DROP TABLE gateway_tally", "-1", "0", "30.0", "1e9", "[]",
    "\ud800", "🙈" * 500, "<svg onload=alert(1)>", "shop\r\nSet-Cookie: a=b", "../../../etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("name", ["bot", "protocol", "period", "order", "bots__in", "csrfmiddlewaretoken"])
def test_no_filter_breaks_it(ann: Client, lively: Conversation, name: str) -> None:
    for value in HOSTILE:
        for address in (PAGE, f"{PAGE}times.csv"):
            answer = ann.get(address, {name: value.encode("utf-8", "surrogatepass")})
            assert answer.status_code == 200, (name, value)
            assert b"<svg onload" not in answer.content
            assert "Set-Cookie: a=b" not in str(answer.headers)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["bot", "protocol", "period", "x"]), st.text(max_size=40), max_size=4))
def test_whatever_is_asked_is_answered(ann: Client, query: dict[str, str]) -> None:
    assert ann.get(PAGE, {k: v.encode("utf-8", "surrogatepass") for k, v in query.items()}).status_code == 200


@pytest.mark.parametrize("name", ["passwords", "messages.json", "Messages", "..", "%00"])
def test_there_are_no_other_tables(ann: Client, name: str) -> None:
    assert ann.get(f"{PAGE}{name}.csv").status_code == 404


# Charts


def table(*rows: tuple[str | int | float | None, ...]) -> Table:
    return Table("t", "T", ("row", *(f"c{n}" for n in range(len(rows[0]) - 1))), list(rows))


def test_columns_stand_on_one_another_and_inside() -> None:
    chart = charts.stacked(table(("a", 5, 15), ("b", 0, 10)))
    low, high, single = chart.bars
    assert low.y + low.height == pytest.approx(charts.HEIGHT - charts.BOTTOM, abs=0.2)
    assert high.y + high.height == pytest.approx(low.y, abs=0.2)
    assert high.height == pytest.approx(3 * low.height, abs=0.3)
    assert single.height == pytest.approx(2 * low.height, abs=0.3)
    assert min(bar.y for bar in chart.bars) >= charts.TOP


@pytest.mark.parametrize("make", [charts.stacked, charts.ranked, charts.shares, charts.heat])
def test_nothing_is_no_error(make: Callable[[Table], charts.Chart]) -> None:
    assert make(table(("a", 0, None), ("b", 0, 0))).bars is not None
    assert make(Table("t", "T", ("row",), [])).width


@given(st.integers(0, 10**12))
def test_the_grid_holds_the_highest(most: int) -> None:
    assert most <= charts.rounded_up(most) <= max(10 * most, charts.TICKS)
