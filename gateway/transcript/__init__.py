"""The only code that writes words: one class an operation. The writer applies what is waiting in one transaction."""

from gateway.transcript.accepting import Accept
from gateway.transcript.delivering import Mark, PartSent
from gateway.transcript.feeding import Begin, Begun, End, InRow, Recover, Settle
from gateway.transcript.group import Group, Left, Memory, Written
from gateway.transcript.hearing import Hear
from gateway.transcript.holding import Adopt, Assign, Close, Release, Take
from gateway.transcript.mending import Drop, Replay, Resend, TakeUp
from gateway.transcript.moving import MoveChat
from gateway.transcript.noting import Note
from gateway.transcript.people import Ban, TagPerson
from gateway.transcript.saying import OperatorSay, OutRow, Say

__all__ = [
    "Accept", "Adopt", "Assign", "Ban", "Begin", "Begun", "Close", "Drop", "End", "Group", "Hear", "InRow", "Left",
    "Mark", "Memory", "MoveChat", "Note", "OperatorSay", "OutRow", "PartSent", "Recover", "Release", "Replay", "Resend",
    "Say", "Settle", "TagPerson", "Take", "TakeUp", "Written",
]  # fmt: skip
