"""Which process runs which conversations. They fall into parts, and each part has one owner (owners.py): nothing is
claimed for a single conversation, and no message costs a question about whose it is.

All conversations of one chat are in one part, so that the chat's order and its clocks are one process's.
"""

from hashlib import blake2b

PARTS = 256
"""As many as a byte tells apart."""
ALL = frozenset(range(PARTS))


def part_of(protocol: str, bot: str, key: str) -> int:
    """The part of the conversation of that key; of the key "", the part whose owner does what a bot needs once."""
    return blake2b(f"{protocol} {bot} {_place(key)}".encode("utf-8", "replace"), digest_size=1).digest()[0]


def _place(key: str) -> str:
    """A key up to its chat, without the topic and the user; the whole of one that names no chat."""
    before, chat, rest = key.partition("chat:")
    return f"{before}{chat}{rest.partition('/')[0]}" if chat else key
