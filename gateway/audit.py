"""The log of what operators do. It is only ever added to."""

from typing import Any

from gateway.models import Audit, Bot, Conversation


def record(
    user: Any,
    action: str,
    *,
    conversation: Conversation | None = None,
    bot: Bot | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Writes one row: in the caller's transaction, where there is one. `action` is one word or a few with hyphens.

    `detail` holds facts (a tag, a number, another operator's name), never what a person wrote.
    """
    Audit.objects.create(
        user=user,
        who=user.get_username(),
        action=action,
        bot=bot if conversation is None else conversation.bot,
        conversation=None if conversation is None else conversation.uuid,
        detail=detail or {},
    )
