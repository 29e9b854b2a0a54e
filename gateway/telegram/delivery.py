"""A row on its way to Telegram: whole texts in as many messages as they need, edits, and any other method."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from gateway.errors import Moved, Refused
from gateway.telegram import people
from gateway.telegram.answers import Migrated
from gateway.telegram.splitting import LIMIT, split, units
from gateway.types import Delivery, Sent

if TYPE_CHECKING:
    from gateway.telegram.client import Client
    from gateway.telegram.lines import Told

FIRST_ONLY = ("reply_parameters", "reply_to_message_id", "message_effect_id")
LAST_ONLY = ("reply_markup",)


def is_one_call(delivery: Delivery) -> bool:
    """A text that fits into one message."""
    text = delivery.params.get("text")
    if delivery.method != "send_message" or delivery.parts or type(text) is not str:
        return False
    return len(text) * 2 <= LIMIT or units(text) <= LIMIT


def sent(result: Any) -> Sent:
    """Of such a call."""
    ids = message_ids(result)
    return Sent(ids[-1] if ids else None, result)


async def finish(client: "Client", delivery: Delivery, token: str, told: "Told") -> Sent:
    """What has become of it. Raises as `deliver`."""

    async def first() -> Any:
        return client.read(token, told)

    return sent(await _understand(client, delivery, delivery.method, delivery.params, first()))


async def deliver(client: "Client", delivery: Delivery) -> Sent:
    """Raises Refused, Later or Unknown."""
    if delivery.method == "send_message":
        return await _send_text(client, delivery)
    if delivery.method.startswith("edit_message_"):
        return await _edit(client, delivery)
    if delivery.parts:
        return Sent(delivery.parts[-1])
    result = await _call(client, delivery, delivery.method, delivery.params)
    ids = message_ids(result)
    if isinstance(result, list):
        for message_id in ids:
            await delivery.part_sent(message_id)
    return Sent(ids[-1] if ids else None, result)


async def _send_text(client: "Client", delivery: Delivery) -> Sent:
    """Part after part; those that are out already are not sent again."""
    messages = text_messages(delivery.params)
    sent = Sent(delivery.parts[-1] if delivery.parts else None)
    for number, params in enumerate(messages[len(delivery.parts) :], len(delivery.parts) + 1):
        if number > len(delivery.parts) + 1:
            delivery.next_call()
        result = await _call(client, delivery, "send_message", params)
        ids = message_ids(result)
        if ids and number < len(messages):  # The last one's id is committed with the end state of the row.
            await delivery.part_sent(ids[-1])
        sent = Sent(ids[-1] if ids else None, result)
    return sent


def text_messages(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The arguments of one sendMessage for each part."""
    text = params.get("text")
    if not isinstance(text, str) or units(text) <= LIMIT:
        return [params]
    parts = split(text, entities=params.get("entities"), parse_mode=params.get("parse_mode"))
    messages = [_with_text(params, *part) for part in parts]
    for message in messages[1:]:
        _drop(message, FIRST_ONLY)
    for message in messages[:-1]:
        _drop(message, LAST_ONLY)
    return messages


def _with_text(params: dict[str, Any], text: str, entities: list[dict[str, Any]] | None) -> dict[str, Any]:
    message = {**params, "text": text}
    if entities is not None:
        message["entities"] = entities
    return message


def _drop(message: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        message.pop(name, None)


async def _edit(client: "Client", delivery: Delivery) -> Sent:
    params = dict(delivery.params)
    if "message_id" not in params and "inline_message_id" not in params:
        if delivery.target is None:
            raise Refused("There is no message with that ref to edit.")
        params["message_id"] = delivery.target
    try:
        result = await _call(client, delivery, delivery.method, params)
    except Refused as error:
        if "message is not modified" not in str(error):
            raise
        result = True
    return Sent(params.get("message_id"), result)


async def _call(client: "Client", delivery: Delivery, method: str, params: dict[str, Any]) -> Any:
    return await _understand(client, delivery, method, params, client.call(method, params))


async def _understand(
    client: "Client", delivery: Delivery, method: str, params: dict[str, Any], call: Awaitable[Any]
) -> Any:
    """What a chat says that is not this conversation's own is no reason to change anything about this one."""
    own = params.get("chat_id") == delivery.address.get("chat_id")
    try:
        return await call
    except Migrated as migrated:
        if own and isinstance(params.get("chat_id"), int):
            raise Moved(str(migrated), people.move(params["chat_id"], migrated.chat_id)) from None
        if "chat_id" not in params:
            raise
        return await client.call(method, {**params, "chat_id": migrated.chat_id})
    except Refused as refused:
        if own or not refused.gone:
            raise
        raise Refused(str(refused)) from None


def message_ids(result: Any) -> list[int]:
    """Of a Message, a MessageId, or a list of them."""
    messages = result if isinstance(result, list) else [result]
    ids = [message.get("message_id") for message in messages if isinstance(message, dict)]
    return [message_id for message_id in ids if type(message_id) is int and abs(message_id) < 2**63]
