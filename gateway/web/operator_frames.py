"""What an operator's page may say, beside what visitors and operators have in common."""

from typing import Annotated, Literal

import msgspec

from gateway.web.frames import (
    Drop,
    Frame,
    Id,
    OperatorHello,
    OperatorTyping,
    Release,
    Replay,
    Resend,
    Say,
    Take,
    Vocabulary,
    Watch,
)  # fmt: skip

Short = Annotated[str, msgspec.Meta(max_length=150)]
State = Literal["", "bot", "waiting", "held", "ended"]


class List(Frame, tag="list"):
    """A page of conversations, newest first: those after the conversation `before`, or the first ones."""

    id: Id = "list"
    state: State = ""
    bot: Short = ""
    protocol: Short = ""
    tag: Short = ""
    mine: bool = False
    search: Short = ""
    before: Short = ""


class Counts(Frame, tag="counts"):
    """How many conversations are in each state."""


class Replies(Frame, tag="replies"):
    """The ready answers that may be used."""


class Unwatch(Frame, tag="unwatch"):
    """Nothing more of it; the list goes on."""

    conversation: str


class History(Frame, tag="history"):
    """Rows that are older than the row `before`."""

    conversation: str
    before: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class Person(Frame, tag="person"):
    """The card of who is talking."""

    conversation: str


class Colleagues(Frame, tag="colleagues"):
    """Who may be given the conversation."""

    conversation: str


class Note(Say, tag="note"):
    """Words for operators only. `seen` is of no account."""


class Assign(Frame, tag="assign"):
    conversation: str
    to: Short


class Close(Frame, tag="close"):
    conversation: str


class Ban(Frame, tag="ban"):
    conversation: str


class Unban(Frame, tag="unban"):
    conversation: str


class Tag(Frame, tag="tag"):
    conversation: str
    tag: Short


class Untag(Frame, tag="untag"):
    conversation: str
    tag: Short


ADMIN = Vocabulary(
    OperatorHello, List, Counts, Replies, Watch, Unwatch, History, Person, Colleagues, Take, Release, Say,
    OperatorTyping, Note, Assign, Close, Ban, Unban, Tag, Untag, Resend, Drop, Replay,
)  # fmt: skip
