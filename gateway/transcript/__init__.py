"""The only code that writes words: one class an operation. The writer applies what is waiting in one transaction."""

from gateway.transcript.accepting import Accept
from gateway.transcript.delivering import Mark, PartSent
from gateway.transcript.feeding import Begin, Begun, End, InRow, Recover, Settle
from gateway.transcript.group import Group, Memory
from gateway.transcript.holding import Release, Take
from gateway.transcript.saying import OperatorSay, OutRow, Say

__all__ = [
    "Accept", "Begin", "Begun", "End", "Group", "InRow", "Mark", "Memory", "OperatorSay", "OutRow", "PartSent",
    "Recover", "Release", "Say", "Settle", "Take",
]  # fmt: skip
