"""A first line: answers what it knows, fetches a human for the rest, and is there again afterwards.

What it shows an author:
- a table that people keep in the admin, read in plain synchronous code;
- `ask_human`: the conversation is "waiting" in the console until an operator takes it;
- `resumed`: what was said while the operator had it, and a bot that takes up the thread;
- a small state machine in `self.session["state"]`: nothing, "waiting", "solved?".
"""

from typing import Any

from bots import matching
from bots.models import FrequentQuestion
from gateway import BotConsumer, Button, Message, Resume

WAITING, SOLVED = "waiting", "solved?"
GREETING = "Hello! Ask me anything; what I do not know I pass on to a colleague."
CALLED = "I have asked a colleague. Somebody will answer you here."
PATIENCE = "Somebody is on the way. What you write meanwhile will be read."
MISSED = "I am sorry, nobody could answer just now. I have asked again."
GLAD = "Good! Write whenever you need something."
GONE = "That answer is no longer kept. Please ask in your own words."
HUMAN = ("Ask a human", "human")
YES, NO = ("Yes", "solved:yes"), ("No", "solved:no")
WORDS_FOR_HUMAN = frozenset({"human", "humans", "operator", "agent", "representative"})
PHRASES_FOR_HUMAN = ("real person", "talk to somebody", "talk to someone", "speak to somebody", "speak to someone")
FIRST_QUESTIONS = 5
LONGEST_QUOTE = 200


class DeskConsumer(BotConsumer):
    state_in_session = True

    def received(self, message: Message) -> None:
        text = message["text"]
        if self.state == WAITING:
            self.be_patient()
        elif self.state == SOLVED and (solved := read_yes_or_no(text)) is not None:
            self.solve(solved)
        elif wants_human(text):
            self.call(f"Asks for a human: {quote(text)}")
        else:
            self.answer(text)

    def pressed(self, button: Button) -> None:
        kind, _, value = button["data"].partition(":")
        if kind == "faq" and value.isdecimal():
            self.answer_by_key(int(value))
        elif kind == "solved" and self.state == SOLVED:
            self.solve(value == "yes")
        elif kind == "human" and self.state == WAITING:
            self.be_patient()
        elif kind == "human":
            self.call("Pressed: ask a human")

    def resumed(self, event: Resume) -> None:
        spoke = [said["name"] for said in event["messages"] if said["from"] == "operator"]
        if spoke:
            self.session["state"] = SOLVED
            self.reply(f"{spoke[-1] or 'My colleague'} has handed you back to me. Is everything solved?", [YES, NO])
        elif self.state == WAITING:
            self.call("Was taken over and handed back without a word.", MISSED)

    # Answering

    def answer(self, text: str) -> None:
        self.session.pop("state", None)
        if text.startswith("/start") or not matching.words(text):
            self.greet()
        elif (found := matching.best(text, FrequentQuestion.objects.filter(enabled=True))) is not None:
            self.reply(found.answer, [HUMAN])
        else:
            self.call(f"I do not know: {quote(text)}")

    def answer_by_key(self, key: int) -> None:
        found = FrequentQuestion.objects.filter(pk=key, enabled=True).first()
        if found is None:
            self.reply(GONE)
        else:
            self.reply(found.answer, [HUMAN])

    def greet(self) -> None:
        known = FrequentQuestion.objects.filter(enabled=True)[:FIRST_QUESTIONS]
        rows: list[list[tuple[str, str]]] = [[(entry.question, f"faq:{entry.pk}")] for entry in known]
        self.reply(GREETING, [*rows, [HUMAN]])

    # A human

    @property
    def state(self) -> Any:
        return self.session.get("state")

    def call(self, reason: str, words: str = CALLED) -> None:
        self.session.update(state=WAITING, told=False)
        self.ask_human(reason)
        self.reply(words)

    def be_patient(self) -> None:
        """Once: whoever waits wants an answer, and not one from here."""
        if not self.session.get("told"):
            self.session["told"] = True
            self.reply(PATIENCE)

    def solve(self, solved: bool) -> None:
        if solved:
            self.reply(GLAD)
            self.close()
        else:
            self.call("Says that it is not solved.")


def wants_human(text: str) -> bool:
    said = text.casefold()
    return not WORDS_FOR_HUMAN.isdisjoint(matching.words(said)) or any(phrase in said for phrase in PHRASES_FOR_HUMAN)


def read_yes_or_no(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text.strip(" .!").casefold())


def quote(text: str) -> str:
    short = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1]}…"
    return f"“{short}”"
