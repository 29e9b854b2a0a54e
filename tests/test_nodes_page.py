"""`/console/nodes/`: who is there, and what each has to do."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from gateway.models import Bot, Conversation, Node, Part
from gateway.parts import PARTS

pytestmark = pytest.mark.django_db


@pytest.fixture
def gateway() -> list[Node]:
    """One that beats and takes in, one that is silent, and one that has only just begun."""
    told = {"version": "9.9", "conversations": 12, "waiting": 3, "queued": 4, "lag": 0.25, "processor": 0.5}
    now = timezone.now()
    nodes = [
        Node.objects.create(
            slot="a", place="first, process 1", beaten_at=now, told={**told, "intakes": ["telegram shop"]}
        ),
        Node.objects.create(slot="b", place="second, process 2", beaten_at=now - timedelta(minutes=1), told=told),
        Node.objects.create(slot="c", place="third, process 3"),
    ]
    Part.objects.bulk_create(Part(number=n, owner=nodes[0] if n < 200 else nodes[1]) for n in range(PARTS - 6))
    bot = Bot.objects.create(name="bot")
    for number, part in enumerate((1, 1, 210)):
        Conversation.objects.create(bot=bot, protocol="webchat", key=str(number), part=part, open=True)
    Conversation.objects.create(bot=bot, protocol="webchat", key="ended", part=1)
    return nodes


def rows(admin_client: Client) -> list[str]:
    page = admin_client.get("/console/nodes/")
    assert page.status_code == 200
    body = page.content.decode().split("<tbody>")[1].split("</tbody>")[0]
    return [" ".join(row.split()) for row in body.split("</tr>")[:-1]]


@pytest.mark.usefixtures("gateway")
def test_every_node_is_shown_with_what_it_has_to_do(admin_client: Client) -> None:
    first, second, third = rows(admin_client)
    for said in ("first, process 1", ">alive<", "9.9", "200 (78 %)", ">2<", ">12<", "50 %", "0.250 s", "telegram shop"):
        assert said in first, said
    assert ">silent<" in second
    assert "50 (20 %)" in second
    assert "60." in second or "61." in second
    assert ">starting<" in third
    assert "0 (0 %)" in third


@pytest.mark.usefixtures("gateway")
def test_parts_of_nobody_are_told(admin_client: Client) -> None:
    assert "6 of 256 parts are nobody's" in admin_client.get("/console/nodes/").content.decode()


def test_a_gateway_that_is_alone_has_all(admin_client: Client) -> None:
    Node.objects.create(slot="gateway", place="only", beaten_at=timezone.now())
    assert "256 (100 %)" in rows(admin_client)[0]


def test_a_database_without_a_gateway_says_so(admin_client: Client) -> None:
    assert "No gateway process runs" in admin_client.get("/console/nodes/").content.decode()


@pytest.mark.parametrize(("permissions", "status"), [(["watch"], 403), (["answer"], 403), (["lead"], 200)])
def test_it_is_for_those_who_lead(client: Client, django_user_model: Any, permissions: list[str], status: int) -> None:
    user = django_user_model.objects.create_user("ada", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_conversations" for name in permissions]))
    client.force_login(user)
    assert client.get("/console/nodes/").status_code == status
    client.logout()
    assert client.get("/console/nodes/").status_code == 302
