"""What the gateway has to know of the Bot API's methods; one that it does not know goes out all the same."""

import re
from functools import lru_cache

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 64

# Intake is the gateway's: a bot that did these would stop it.
GATEWAYS_OWN = frozenset({"get_updates", "set_webhook", "delete_webhook", "log_out", "close"})

# Methods that belong to no chat, by how their names begin, and by name.
NO_CHAT = re.compile(r"(answer|(get|set|delete|remove)_my|save_prepared|(set|get|replace)_managed_bot)_.*")
NO_CHAT_NAMES = frozenset(
    {
        "add_sticker_to_set",
        "create_invoice_link",
        "create_new_sticker_set",
        "delete_sticker_from_set",
        "delete_sticker_set",
        "edit_user_star_subscription",
        "get_available_gifts",
        "get_business_connection",
        "get_custom_emoji_stickers",
        "get_file",
        "get_forum_topic_icon_stickers",
        "get_me",
        "get_star_transactions",
        "get_sticker_set",
        "get_webhook_info",
        "refund_star_payment",
        "replace_sticker_in_set",
        "set_custom_emoji_sticker_set_thumbnail",
        "set_passport_data_errors",
        "set_sticker_emoji_list",
        "set_sticker_keywords",
        "set_sticker_mask_position",
        "set_sticker_position_in_set",
        "set_sticker_set_thumbnail",
        "set_sticker_set_title",
        "set_user_emoji_status",
        "upload_sticker_file",
    }
)
# `user_id` says there where it goes instead of the chat.
USER_INSTEAD = frozenset({"send_gift", "get_user_profile_photos", "get_user_gifts", "gift_premium_subscription"})

SENDING = re.compile(r"(send|copy|forward)_.*")
NO_WORDS = re.compile(r"send_chat_action|send_.*_draft|send_chat_join_request_.*")
EDITING = re.compile(r"edit_message_.*")

# What an answer answers: the parameter, the kind of update that brings it, and the field there.
ANSWERED = {
    "answer_callback_query": ("callback_query_id", "callback_query", "id"),
    "answer_inline_query": ("inline_query_id", "inline_query", "id"),
    "answer_shipping_query": ("shipping_query_id", "shipping_query", "id"),
    "answer_pre_checkout_query": ("pre_checkout_query_id", "pre_checkout_query", "id"),
    "answer_guest_query": ("guest_query_id", "guest_message", "guest_query_id"),
}


@lru_cache(maxsize=1000)
def belongs_to_chat(method: str) -> bool:
    return method not in NO_CHAT_NAMES and not NO_CHAT.fullmatch(method)


def is_sending(method: str) -> bool:
    """It can go to a topic."""
    return bool(SENDING.fullmatch(method))


def row_kind(method: str) -> str:
    """ "message": words; "edit": changes words; "call": anything else."""
    if is_sending(method) and not NO_WORDS.fullmatch(method):
        return "message"
    return "edit" if EDITING.fullmatch(method) else "call"
