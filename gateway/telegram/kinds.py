"""The update kinds of the Bot API (10.3), and which of them a bot asks for."""

from collections.abc import Set as AbstractSet

ALL_KINDS = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "subscription",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
)
WORDS = frozenset({"message", "business_message", "channel_post"})
EDITS = frozenset({"edited_message", "edited_business_message", "edited_channel_post"})
MESSAGE_LIKE = WORDS | EDITS | {"guest_message"}
POSTS = frozenset({"channel_post", "edited_channel_post"})

# Events of the gateway's own, which a consumer has handlers for under the same prefix; no update may pose as one.
RESERVED = frozenset({"result", "resume", "disconnect", "close", "form", "rating"})
ALWAYS = frozenset({"message", "my_chat_member"})


def allowed_updates(handled: AbstractSet[str] | None) -> list[str]:
    """What to ask Telegram for, given what the application handles (None: everything).

    A handler for a kind that this list does not know yet is asked for as well: Telegram may know it.
    """
    if handled is None:
        return list(ALL_KINDS)
    wanted = (handled | ALWAYS) - RESERVED
    known = [kind for kind in ALL_KINDS if kind in wanted]
    return known + sorted(wanted - set(ALL_KINDS))
