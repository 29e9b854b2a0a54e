"""The fail points by name, for whoever runs a gateway that is to die at one of them."""

NAMES = ("received", "committed", "acknowledged", "handled", "sending", "sent", "settled")
"""In the order of a word's way: its update has come, is a row, Telegram knows that; its handler is done, its answer is
marked, has been taken by Telegram, and the row has its end state."""
