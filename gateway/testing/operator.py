"""An operator of the console, in an author's test."""

import itertools
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser

if TYPE_CHECKING:
    from gateway.testing.chat import Chat

numbers = itertools.count(1)


class Operator:
    """Takes one chat's conversation over, speaks in it, and hands it back. Does not vanish when time is moved."""

    def __init__(self, chat: "Chat", user: AbstractBaseUser) -> None:
        self.chat = chat
        self.user = user

    async def takes_over(self) -> None:
        """Raises Denied where somebody else holds it."""
        await self.chat.run.quiet()
        row = await self.chat.conversation()
        await self.chat.run.engine.take(str(row.uuid), self.user)

    async def says(self, text: str) -> None:
        """Raises Denied without `takes_over`."""
        row = await self.chat.conversation()
        said = f"test-{next(numbers)}"
        await self.chat.run.engine.say(str(row.uuid), self.user, client_id=said, text=text, seen=row.seq)

    async def hands_back(self) -> None:
        """The bot is told what was said meanwhile, if it has a handler for that."""
        row = await self.chat.conversation()
        await self.chat.run.engine.release(str(row.uuid), self.user)


def operator_named(name: str) -> AbstractBaseUser:
    user, _ = get_user_model().objects.get_or_create(username=name, defaults={"is_staff": True})
    return user
