"""What the methods do. Those not named here are accepted too, with a result of about the right shape."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.fake_telegram.calls import BotApiError, bad_request, number
from tests.fake_telegram.chats import FakeChat, Json
from tests.fake_telegram.entities import checked_text

if TYPE_CHECKING:
    from tests.fake_telegram.bot import FakeBot

Params = dict[str, Any]
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
OLD_QUERY = "query is too old and response timeout expired or query ID is invalid"
LONGEST_DATA = 64
LONGEST_CAPTION = 1024


def perform(bot: "FakeBot", method: str, params: Params) -> Any:
    """The result of a method, or `BotApiError`."""
    known = METHODS.get(method.lower())
    return known(bot, params) if known else anything_else(bot, method.lower(), params)


def find_chat(bot: "FakeBot", params: Params) -> FakeChat:
    id = number(params.get("chat_id"))
    if id in (None, ""):
        raise bad_request("chat_id is empty")
    if isinstance(id, str):
        chat = next((c for c in bot.chats.values() if id == f"@{c.raw.get('username')}"), None)
    else:
        chat = bot.chats.get(id)
    if chat is None:
        raise bad_request("chat not found")
    if chat.blocked:
        raise BotApiError(403, "Forbidden: bot was blocked by the user")
    return chat


def send_message(bot: "FakeBot", params: Params) -> Json:
    chat = find_chat(bot, params)
    entities = parsed(params.get("entities"))
    text = checked_text(params.get("text"), str(params.get("parse_mode") or ""), entities)
    return bot.say_in(chat, {**frame(bot, chat, params), "text": text, **({"entities": entities} if entities else {})})


def frame(bot: "FakeBot", chat: FakeChat, params: Params) -> Json:
    """What every message has around its content: sender, thread, keyboard, the message it answers."""
    message: Json = {"from": bot.raw}
    if markup := checked_markup(params):
        message["reply_markup"] = markup
    if (thread := number(params.get("message_thread_id"))) is not None:
        if thread not in chat.topics:
            raise bad_request("message thread not found")
        message |= {"message_thread_id": thread, "is_topic_message": True}
    if connection := params.get("business_connection_id"):
        if connection not in bot.businesses:
            raise bad_request("business connection not found")
        message["business_connection_id"] = connection
    if reply := parsed(params.get("reply_parameters")):
        message["reply_to_message"] = replied(chat, reply)
    return message


def replied(chat: FakeChat, reply: Json) -> Json:
    original = chat.find(number(reply.get("message_id")))
    if original is None and not reply.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return original or {}


def parsed(value: Any) -> Any:
    """Form bodies carry objects as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise bad_request("can't parse JSON object") from None


def checked_markup(params: Params) -> Json | None:
    markup = parsed(params.get("reply_markup"))
    if markup in (None, ""):
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    for row in markup.get("inline_keyboard", ()):
        for button in row:
            check_button(button)
    return markup


def check_button(button: Json) -> None:
    if not button.get("text"):
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be of type String')
    if set(button) == {"text"}:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= LONGEST_DATA:
        raise bad_request("BUTTON_DATA_INVALID")


def edit(bot: "FakeBot", params: Params, content: Json) -> Json | bool:
    if params.get("inline_message_id"):
        return True
    message = find_chat(bot, params).find(number(params.get("message_id")))
    if message is None:
        raise bad_request("message to edit not found")
    if message.get("from", {}).get("id") != bot.id:
        raise bad_request("message can't be edited")
    markup = checked_markup(params)
    if all(message.get(key) == value for key, value in content.items()) and message.get("reply_markup") == markup:
        raise bad_request(NOT_MODIFIED)
    message.pop("reply_markup", None)
    message.update(content, edit_date=bot.now(), **({"reply_markup": markup} if markup else {}))
    return dict(message)


def edit_text(bot: "FakeBot", params: Params) -> Json | bool:
    text = checked_text(params.get("text"), str(params.get("parse_mode") or ""), parsed(params.get("entities")))
    return edit(bot, params, {"text": text})


def edit_caption(bot: "FakeBot", params: Params) -> Json | bool:
    return edit(bot, params, {"caption": str(params.get("caption", ""))})


def edit_markup(bot: "FakeBot", params: Params) -> Json | bool:
    return edit(bot, params, {})


def delete_message(bot: "FakeBot", params: Params) -> bool:
    chat = find_chat(bot, params)
    message = chat.find(number(params.get("message_id")))
    if message is None:
        raise bad_request("message to delete not found")
    chat.messages.remove(message)
    return True


def answer_callback_query(bot: "FakeBot", params: Params) -> bool:
    query = str(params.get("callback_query_id", ""))
    if query not in bot.queries or bot.queries[query] is not None:
        raise bad_request(OLD_QUERY)
    bot.queries[query] = dict(params)
    return True


def get_me(bot: "FakeBot", params: Params) -> Json:
    return {**bot.raw, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}


def get_chat(bot: "FakeBot", params: Params) -> Json:
    return {**find_chat(bot, params).raw, "accent_color_id": 0, "max_reaction_count": 11}


def copy_message(bot: "FakeBot", params: Params) -> Json:
    chat = find_chat(bot, params)
    return {"message_id": bot.say_in(chat, {**frame(bot, chat, params), "text": "(copy)"})["message_id"]}


def send_media_group(bot: "FakeBot", params: Params) -> list[Json]:
    chat = find_chat(bot, params)
    return [
        bot.say_in(chat, {**frame(bot, chat, params), "caption": str(item.get("caption", ""))})
        for item in parsed(params.get("media"))
    ]


def chat_action(bot: "FakeBot", params: Params) -> bool:
    find_chat(bot, params)
    return True


def send_something(bot: "FakeBot", method: str, params: Params) -> Json:
    chat = find_chat(bot, params)
    if len(str(params.get("caption", ""))) > LONGEST_CAPTION:
        raise bad_request("message caption is too long")
    what = method.removeprefix("send")
    content: Json = {what: {"file_id": str(params.get(what, ""))}}
    if "caption" in params:
        content["caption"] = str(params["caption"])
    return bot.say_in(chat, {**frame(bot, chat, params), **content})


def anything_else(bot: "FakeBot", method: str, params: Params) -> Any:
    if method.startswith(("send", "forwardmessage")):
        return send_something(bot, method, params)
    if method.startswith("get"):
        return {}
    return True


def get_file(bot: "FakeBot", params: Params) -> Json:
    file_id = str(params.get("file_id") or "")
    if file_id not in bot.files:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    return {"file_id": file_id, "file_size": len(bot.files[file_id]), "file_path": f"files/{file_id}"}


METHODS: dict[str, Callable[["FakeBot", Params], Any]] = {
    "sendmessage": send_message,
    "sendmediagroup": send_media_group,
    "sendchataction": chat_action,
    "copymessage": copy_message,
    "editmessagetext": edit_text,
    "editmessagecaption": edit_caption,
    "editmessagereplymarkup": edit_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "getme": get_me,
    "getfile": get_file,
    "getchat": get_chat,
    "setwebhook": lambda bot, params: bot.webhook.set(params),
    "deletewebhook": lambda bot, params: bot.webhook.delete(params),
    "getwebhookinfo": lambda bot, params: bot.webhook.info(),
}
