"""One realistic update of every kind of the Bot API, and where it belongs."""

from typing import Any

ANN: dict[str, Any] = {
    "id": 11, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "ann", "language_code": "en",
}  # fmt: skip
PRIVATE = {"id": 11, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100200, "type": "supergroup", "title": "Tea"}
CHANNEL = {"id": -100300, "type": "channel", "title": "News"}


def message(**more: Any) -> dict[str, Any]:
    return {"message_id": 5, "date": 1_700_000_000, "chat": PRIVATE, "from": ANN, "text": "hi"} | more


def member(chat: dict[str, Any], status: str) -> dict[str, Any]:
    bot = {"id": 99, "is_bot": True, "first_name": "Bot"}
    new = {"status": status, "user": bot}
    return {"chat": chat, "from": ANN, "date": 1, "old_chat_member": {"status": "left", "user": bot}} | {
        "new_chat_member": new
    }


IN_PRIVATE, IN_GROUP = "chat:11/user:11", "chat:-100200/user:11"
POST = {"message_id": 5, "date": 1, "chat": CHANNEL, "sender_chat": CHANNEL, "text": "news"}
BUSINESS = message(business_connection_id="bc-1")

# kind: content, the conversation's key, the row's kind, the row's text
EVERY_KIND: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "message": (message(), IN_PRIVATE, "message", "hi"),
    "edited_message": (message(edit_date=2), IN_PRIVATE, "edit", "hi"),
    "channel_post": (POST, "chat:-100300", "message", "news"),
    "edited_channel_post": (POST, "chat:-100300", "edit", "news"),
    "business_connection": (
        {"id": "bc-1", "user": ANN, "user_chat_id": 11, "date": 1, "is_enabled": True}, IN_PRIVATE, "update", "",
    ),
    "business_message": (BUSINESS, f"business:bc-1/{IN_PRIVATE}", "message", "hi"),
    "edited_business_message": (BUSINESS, f"business:bc-1/{IN_PRIVATE}", "edit", "hi"),
    "deleted_business_messages": (
        {"business_connection_id": "bc-1", "chat": PRIVATE, "message_ids": [5]},
        f"business:bc-1/{IN_PRIVATE}", "update", "",
    ),
    "guest_message": (message(chat=GROUP, guest_query_id="g1"), IN_GROUP, "update", "hi"),
    "message_reaction": (
        {"chat": GROUP, "message_id": 5, "user": ANN, "date": 1, "old_reaction": [],
         "new_reaction": [{"type": "emoji", "emoji": "👍"}]}, IN_GROUP, "update", "",
    ),
    "message_reaction_count": (
        {"chat": CHANNEL, "message_id": 5, "date": 1, "reactions": []}, "chat:-100300", "update", "",
    ),
    "inline_query": ({"id": "q", "from": ANN, "query": "tea", "offset": ""}, IN_PRIVATE, "update", ""),
    "chosen_inline_result": ({"result_id": "r", "from": ANN, "query": "tea"}, IN_PRIVATE, "update", ""),
    "callback_query": (
        {"id": "c1", "from": ANN, "chat_instance": "x", "data": "yes", "message": message(
            reply_markup={"inline_keyboard": [[{"text": "No", "callback_data": "no"}],
                                              [{"text": "Yes, please", "callback_data": "yes"}]]})},
        IN_PRIVATE, "button", "Yes, please",
    ),
    "shipping_query": (
        {"id": "s", "from": ANN, "invoice_payload": "p", "shipping_address": {}}, IN_PRIVATE, "update", "",
    ),
    "pre_checkout_query": (
        {"id": "p", "from": ANN, "currency": "XTR", "total_amount": 1, "invoice_payload": "p"},
        IN_PRIVATE, "update", "",
    ),
    "purchased_paid_media": ({"from": ANN, "paid_media_payload": "p"}, IN_PRIVATE, "update", ""),
    "subscription": ({"user": ANN, "invoice_payload": "p", "state": "canceled"}, IN_PRIVATE, "update", ""),
    "poll": ({"id": "1", "question": "?", "options": [], "type": "regular", "is_closed": True}, "bot", "update", ""),
    "poll_answer": ({"poll_id": "1", "user": ANN, "option_ids": [0]}, IN_PRIVATE, "update", ""),
    "my_chat_member": (member(PRIVATE, "kicked"), IN_PRIVATE, "update", ""),
    "chat_member": (member(GROUP, "member"), IN_GROUP, "update", ""),
    "chat_join_request": ({"chat": GROUP, "from": ANN, "user_chat_id": 11, "date": 1}, IN_GROUP, "update", ""),
    "chat_boost": (
        {"chat": GROUP, "boost": {"boost_id": "b", "add_date": 1, "expiration_date": 2,
                                  "source": {"source": "premium", "user": ANN}}}, IN_GROUP, "update", "",
    ),
    "removed_chat_boost": (
        {"chat": GROUP, "boost_id": "b", "remove_date": 1, "source": {"source": "premium", "user": ANN}},
        IN_GROUP, "update", "",
    ),
    "managed_bot": ({"user": ANN, "bot": {"id": 7, "is_bot": True, "first_name": "M"}}, IN_PRIVATE, "update", ""),
}  # fmt: skip
