"""The examples that people learn Channels from, run on the real process. A Django app of its own, as an author has one.

Each example is written as its author would write it today. Where the well-known text cannot run, the smallest
correction is made, and the comment beside it gives the cause.
"""
