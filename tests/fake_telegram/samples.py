"""One update of every kind that Telegram knows, and of one that it does not know yet."""

from tests.fake_telegram.chats import Json
from tests.fake_telegram.people import FakeUser

DATE = 1_790_000_000
GROUP: Json = {"id": -1002000000001, "type": "supergroup", "title": "Readers"}
CHANNEL: Json = {"id": -1002000000002, "type": "channel", "title": "News"}


def one_of_each_kind(user: FakeUser) -> dict[str, Json]:
    """Kind → raw update without `update_id`. None of them is a plain message of the private chat but "message"."""
    kinds = {**messages(user), **business(user), **reactions(user), **queries(user), **payments(user), **members(user)}
    return {kind: {kind: content} for kind, content in kinds.items()}


def messages(user: FakeUser) -> Json:
    private = user.chat.raw
    post = {"message_id": 11, "sender_chat": CHANNEL, "chat": CHANNEL, "date": DATE, "text": "post"}
    message = {"message_id": 901, "from": user.raw, "chat": private, "date": DATE, "text": "each kind"}
    return {
        "message": message,
        "edited_message": {**message, "edit_date": DATE + 1, "text": "each kind, edited"},
        "channel_post": post,
        "edited_channel_post": {**post, "edit_date": DATE + 1, "text": "post, edited"},
        "guest_message": {**message, "message_id": 902, "chat": GROUP, "guest_query_id": "g1"},
    }


def business(user: FakeUser) -> Json:
    owner = {"id": 777001, "is_bot": False, "first_name": "Owner"}
    words = {"message_id": 21, "from": user.raw, "chat": user.chat.raw, "date": DATE, "business_connection_id": "biz-1"}
    connection = {"id": "biz-1", "user": owner, "user_chat_id": owner["id"], "date": DATE, "is_enabled": True}
    return {
        "business_connection": connection,
        "business_message": {**words, "text": "to the business"},
        "edited_business_message": {**words, "edit_date": DATE + 1, "text": "to the business, edited"},
        "deleted_business_messages": {
            "business_connection_id": "biz-1", "chat": user.chat.raw, "message_ids": [21],
        },
        "managed_bot": {"user": owner, "bot": {"id": 777002, "is_bot": True, "first_name": "Managed"}},
    }  # fmt: skip


def reactions(user: FakeUser) -> Json:
    where = {"chat": GROUP, "message_id": 5, "date": DATE}
    heart = {"type": "emoji", "emoji": "❤"}
    return {
        "message_reaction": {**where, "user": user.raw, "old_reaction": [], "new_reaction": [heart]},
        "message_reaction_count": {**where, "reactions": [{"type": heart, "total_count": 3}]},
    }


def queries(user: FakeUser) -> Json:
    shown = {"message_id": 3, "chat": user.chat.raw, "date": DATE, "text": "press"}
    options = [{"text": "yes", "voter_count": 1}, {"text": "no", "voter_count": 0}]
    poll = {"id": "poll-1", "question": "?", "options": options, "total_voter_count": 1, "is_closed": True}
    return {
        "inline_query": {"id": "iq-1", "from": user.raw, "query": "find", "offset": ""},
        "chosen_inline_result": {"result_id": "r1", "from": user.raw, "query": "find"},
        "callback_query": {
            "id": user.bot.new_query(), "from": user.raw, "message": shown, "chat_instance": "1", "data": "yes",
        },
        "poll": {**poll, "is_anonymous": True, "type": "regular", "allows_multiple_answers": False},
        "poll_answer": {"poll_id": "poll-1", "user": user.raw, "option_ids": [0]},
    }  # fmt: skip


def payments(user: FakeUser) -> Json:
    address = {
        "country_code": "NO", "state": "", "city": "Oslo", "street_line1": "1", "street_line2": "", "post_code": "1",
    }  # fmt: skip
    return {
        "shipping_query": {"id": "sq-1", "from": user.raw, "invoice_payload": "p", "shipping_address": address},
        "pre_checkout_query": {
            "id": "pq-1", "from": user.raw, "currency": "XTR", "total_amount": 1, "invoice_payload": "p",
        },
        "purchased_paid_media": {"from": user.raw, "paid_media_payload": "p"},
    }  # fmt: skip


def members(user: FakeUser) -> Json:
    bot_before, bot_now = ({"user": user.bot.raw, "status": status} for status in ("left", "member"))
    before, now = ({"user": user.raw, "status": status} for status in ("left", "member"))
    change = {"chat": GROUP, "from": user.raw, "date": DATE}
    boost = {"boost_id": "b1", "source": {"source": "premium", "user": user.raw}}
    return {
        "my_chat_member": {**change, "old_chat_member": bot_before, "new_chat_member": bot_now},
        "chat_member": {**change, "old_chat_member": before, "new_chat_member": now},
        "chat_join_request": {**change, "user_chat_id": user.id},
        "chat_boost": {"chat": GROUP, "boost": {**boost, "add_date": DATE, "expiration_date": DATE + 9}},
        "removed_chat_boost": {"chat": GROUP, **boost, "remove_date": DATE},
        "future_kind": {"id": "f1", "from": user.raw, "something": {"nested": [1, None, "x"]}},
    }


KINDS = (
    "message", "edited_message", "channel_post", "edited_channel_post", "guest_message", "business_connection",
    "business_message", "edited_business_message", "deleted_business_messages", "managed_bot", "message_reaction",
    "message_reaction_count", "inline_query", "chosen_inline_result", "callback_query", "poll", "poll_answer",
    "shipping_query", "pre_checkout_query", "purchased_paid_media", "my_chat_member", "chat_member",
    "chat_join_request", "chat_boost", "removed_chat_boost", "future_kind",
)  # fmt: skip
