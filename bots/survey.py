"""A survey: four questions, one at a time, answered by buttons or by typing; every finished round is a row.

What it shows an author:
- state in `self.session`: saved with each settled event, so that a round goes on where it was after a restart;
- buttons that say which round and which question they belong to, so that an old one does no harm;
- the ORM in plain synchronous code, and a row that is there once even if the last event is fed twice;
- editing a message by its `ref`, and a word when the scope ends by silence.

To ask something else, change QUESTIONS and the columns of SurveyAnswers.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Max

from bots.models import SurveyAnswers
from gateway import BotConsumer, Button, Disconnect, Message

WELCOME = "Four short questions; it takes a minute. /start begins anew."
THANKS = "Thank you, that was all. Your answers are kept."
DONE = "You have answered everything, thank you."
STOPPED = "We stop here, since it has been quiet for a while. Write anything to begin anew."
ONCE_MORE = ("Once more", "again")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few. `options`: value → label; the label counts as well when it is typed."""

    name: str
    text: str
    options: dict[str, str]

    @property
    def choices(self) -> dict[str, str]:
        return self.options

    @property
    def hint(self) -> str:
        return f"Please choose one: {', '.join(self.options.values())}."

    def read(self, text: str) -> str | None:
        typed = text.strip().casefold()
        return next((value for value, label in self.options.items() if label.casefold() == typed), None)


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, the ends included."""

    name: str
    text: str
    least: int
    most: int
    choices: ClassVar[dict[str, str]] = {}

    @property
    def hint(self) -> str:
        return f"Please write a number from {self.least} to {self.most}."

    def read(self, text: str) -> int | None:
        typed = text.strip()
        if not typed.isdecimal() or len(typed) > 9:
            return None
        return number if self.least <= (number := int(typed)) <= self.most else None


@dataclass(frozen=True, slots=True)
class Words:
    """Anything that is not longer than `longest` characters; may be left out."""

    name: str
    text: str
    longest: int
    choices: ClassVar[dict[str, str]] = {"": "Skip"}

    @property
    def hint(self) -> str:
        return f"Please write at most {self.longest} characters, or press Skip."

    def read(self, text: str) -> str | None:
        # A half character or a NUL, which a chat may carry, is nothing that a database takes.
        typed = text.encode(errors="replace").decode().replace("\0", "").strip()
        if typed.casefold() == "skip":
            return ""
        return typed if 0 < len(typed) <= self.longest else None


QUESTIONS: tuple[Choice | Number | Words, ...] = (
    Choice("source", "How did you hear of us?", {"friend": "A friend", "search": "A search", "other": "Elsewhere"}),
    Number("score", "How likely are you to recommend us, from 0 to 10?", 0, 10),
    Choice("again", "Would you use it again?", {"yes": "Yes", "maybe": "Maybe", "no": "No"}),
    Words("remark", "Anything else that we should know?", 1000),
)


class SurveyConsumer(BotConsumer):
    state_in_session = True

    def received(self, message: Message) -> None:
        if "at" not in self.session or message["text"].startswith("/start"):
            self.begin()
        elif self.is_finished:
            self.reply(DONE, buttons=[ONCE_MORE])
        elif (value := self.question.read(message["text"])) is None:
            self.reply(self.question.hint, buttons=self.choices(), ref=self.ref)
        else:
            self.take(value)

    def pressed(self, button: Button) -> None:
        place, _, value = button["data"].partition("=")
        if "at" not in self.session or (button["data"] == ONCE_MORE[1] and self.is_finished):
            self.begin()
        elif not self.is_finished and place == self.ref and value in self.question.choices:
            self.take(value)

    def ended(self, event: Disconnect) -> None:
        if event["code"] == "idle" and "at" in self.session and not self.is_finished:
            self.reply(STOPPED)

    # Where we are

    @property
    def question(self) -> Choice | Number | Words:
        return QUESTIONS[int(self.session["at"])]

    @property
    def is_finished(self) -> bool:
        return bool(self.session["at"] >= len(QUESTIONS))

    @property
    def ref(self) -> str:
        """Round and question: the name of the question's message, and the beginning of its buttons' data."""
        return f"{self.session['round']}.{self.session['at']}"

    def choices(self) -> list[tuple[str, str]]:
        return [(label, f"{self.ref}={value}") for value, label in self.question.choices.items()]

    # One step

    def begin(self) -> None:
        self.session.update(round=next_round(self.scope["conversation"]), at=0, answers={})
        self.reply(WELCOME)
        self.ask()

    def ask(self) -> None:
        self.reply(self.question.text, buttons=self.choices(), ref=self.ref)

    def take(self, value: str | int) -> None:
        question = self.question
        self.session["answers"][question.name] = value
        if question.choices:
            # The same message without its buttons: an answered question cannot be pressed again.
            self.edit(self.ref, f"{question.text}\n✓ {question.choices.get(str(value), value)}")
        self.session["at"] += 1
        if self.is_finished:
            self.finish()
        else:
            self.ask()

    def finish(self) -> None:
        who: dict[str, Any] = {"name": self.scope["name"], "protocol": self.scope["type"]}
        SurveyAnswers.objects.update_or_create(
            conversation=self.scope["conversation"],
            round=self.session["round"],
            defaults={**who, **self.session["answers"]},
        )
        self.reply(THANKS, buttons=[ONCE_MORE])


def next_round(conversation: str) -> int:
    """Counted by what is stored, so that an event that is fed again begins the same round again."""
    last = SurveyAnswers.objects.filter(conversation=conversation).aggregate(last=Max("round"))["last"]
    return 1 if last is None else int(last) + 1
