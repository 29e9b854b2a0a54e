"""Channels' Redis layer, patient. A module of its own: the embedded gateway starts without Redis' libraries."""

from typing import Any

from channels_redis.core import RedisChannelLayer

from gateway.layers import receive_patiently

MOST_RINGS = 100
"""That wait for one process; older ones are dropped."""


class RedisLayer(RedisChannelLayer):
    """Where Redis is away, `receive` waits for its return instead of ending the consumer."""

    patient = True

    async def receive(self, channel: str) -> dict[str, Any]:
        return await receive_patiently(super().receive, channel)

    # For rings, which may be lost: `send` asks Redis four times, `receive` three, so that nothing is.

    async def ring(self, channel: str, message: dict[str, Any]) -> None:
        key = self.prefix + channel
        async with self.connection(0).pipeline(transaction=False) as asked:
            asked.rpush(key, self.serialize(message)).ltrim(key, -MOST_RINGS, -1).expire(key, int(self.expiry))
            await asked.execute()

    async def hear(self, channel: str) -> dict[str, Any]:
        found = None
        while found is None:
            found = await self.connection(0).blpop(self.prefix + channel, timeout=self.brpop_timeout)
        message: dict[str, Any] = self.deserialize(found[1])
        return message
