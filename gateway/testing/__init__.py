"""For authors' tests: a person who talks with a bot, on the real engine and the test database.

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("protocol", protocols())
    async def test_greets(protocol):
        async with Chat(GreeterConsumer.as_asgi(), protocol=protocol) as ann:
            await ann.says("hello")
            assert await ann.hears() == "Hello! More?"
            assert ann.buttons == [["Yes", "No"]]
            await ann.presses("No")
            await ann.hears_nothing()

Every word goes through the rows, the protocol's own composing and the outbox; only the wire is missing.
"""

from gateway.testing.chat import Chat
from gateway.testing.operator import Operator
from gateway.testing.outside import Outside, protocols
from gateway.testing.run import Run

__all__ = ["Chat", "Operator", "Outside", "Run", "protocols"]
