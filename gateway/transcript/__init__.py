"""The only code that writes words: one class an operation. The writer applies what is waiting in one transaction."""

from gateway.transcript.accepting import Accept
from gateway.transcript.delivering import Mark, PartSent
from gateway.transcript.feeding import Begin, Begun, End, InRow, Recover, Settle
from gateway.transcript.group import Group, Memory
from gateway.transcript.holding import Adopt, Release, Take
from gateway.transcript.mending import Drop, Replay, Resend, TakeUp
from gateway.transcript.moving import MoveChat
from gateway.transcript.saying import OperatorSay, OutRow, Say

__all__ = [
    "Accept", "Adopt", "Begin", "Begun", "Drop", "End", "Group", "InRow", "Mark", "Memory", "MoveChat", "OperatorSay",
    "OutRow", "PartSent", "Recover", "Release", "Replay", "Resend", "Say", "Settle", "Take", "TakeUp",
]  # fmt: skip
