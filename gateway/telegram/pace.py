"""How fast Telegram lets itself be called, as far as it says: 30 messages a second in bulk, one a second to a person,
faster in bursts, and 20 a minute to a group. FLOOD_… and ANNOUNCEMENTS_… in the settings."""

from django.conf import settings

from gateway.types import Limits, Rate


def limits(chat: str) -> Limits:
    """Of a chat by its id; of "", a bot's as a whole."""
    if not settings.FLOOD_LIMITS:
        return Limits()
    if not chat:
        return _limits(settings.FLOOD_BOT_PER_SECOND, round(settings.FLOOD_BOT_PER_SECOND), _announced())
    if is_group(chat):
        a_second = settings.FLOOD_GROUP_PER_MINUTE / 60
        return _limits(a_second, settings.FLOOD_GROUP_BURST, a_second)
    return _limits(settings.FLOOD_CHAT_PER_SECOND, settings.FLOOD_CHAT_BURST, settings.FLOOD_CHAT_PER_SECOND)


def _announced() -> float:
    return float(settings.ANNOUNCEMENTS_PER_SECOND)


def _limits(per_second: float, burst: int, announced: float) -> Limits:
    return Limits(_rate(burst, per_second), _rate(1, announced))


def _rate(burst: int, per_second: float) -> Rate | None:
    """0 a second is no limit."""
    return Rate(max(burst, 1), per_second) if per_second > 0 else None


def is_group(chat: str) -> bool:
    """Groups and channels have negative ids; those that are called by a name are never people."""
    return not chat.isdecimal()
