"""Channels' Redis layer, patient. A module of its own: the embedded gateway starts without Redis' libraries."""

from typing import Any

from channels_redis.core import RedisChannelLayer

from gateway.layers import receive_patiently


class RedisLayer(RedisChannelLayer):
    """Where Redis is away, `receive` waits for its return instead of ending the consumer."""

    patient = True

    async def receive(self, channel: str) -> dict[str, Any]:
        return await receive_patiently(super().receive, channel)
