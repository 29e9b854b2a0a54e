"""Two months of conversations, written as rows: made up, the same at every start but for the dates."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from demo import words
from gateway import counting, operators
from gateway.announcement import Announcement, AnnouncementState
from gateway.audience import Audience
from gateway.models import Bot, Contact, Conversation, Message, Reply, Tag
from gateway.parts import part_of
from gateway.web.models import Rating, WidgetOptions

DAYS = 60
PEOPLE = 420
VISITS = 1700
COLLEAGUES = (("ann", "Ann", "Lee"), ("minji", "Min-ji", "Kim"))
# Visits by the hour of the day: little at night, most before noon and in the evening.
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 20, 14, 15, 17, 16, 14, 12, 13, 16, 15, 10, 5, 2)


@dataclass(slots=True)
class Talk:
    """A conversation that is being written: its rows so far."""

    place: Conversation
    person: str
    rows: list[Message] = field(default_factory=list)

    def add(self, at: datetime, sender: str, text: str, **more: Any) -> Message:
        place, came_in = self.place, sender == "visitor"
        place.rev += 1
        is_word = more.get("kind", "message") == "message" and more.get("status") != "note"
        place.seq += is_word
        fields = {"status": "done" if came_in else "sent", "kind": "message", "method": "send_message", **more}
        name = self.person if came_in else more.pop("name", "")
        row = Message(
            conversation=place, bot_id=place.bot_id, direction="in" if came_in else "out", sender=sender, text=text,
            at=at, settled_at=at, seq=place.seq if is_word else None, rev=place.rev, seen_rev=place.rev,
            name=name, **{name: value for name, value in fields.items() if name != "name"},
        )  # fmt: skip
        if is_word:
            place.last, place.last_at, place.changed_at = text, at, at
        self.rows.append(row)
        return row


def write(operator: str) -> str:
    """Fills the empty database. Returns the password of the operator, who may do everything."""
    password, chance = operators.new_password(), random.Random(7)  # noqa: S311  # a story, no secret
    User.objects.create_superuser(operator, password=password, first_name="Dana", last_name="Moon")
    users = [User.objects.create_user(name, is_staff=True, first_name=a, last_name=b) for name, a, b in COLLEAGUES]
    talks = [Talk(place, place.contact.name or "") for place in people(chance) if place.contact]
    for at in sorted(moments(chance)):
        visit(chance.choice(talks[: len(talks) // 3] if chance.random() < 0.5 else talks), at, chance, users)
    used = [talk for talk in talks if talk.rows]
    attend(used, users, chance)
    Message.objects.bulk_create((row for talk in used for row in talk.rows), batch_size=500)
    Conversation.objects.bulk_update([talk.place for talk in used], CHANGED, batch_size=200)
    extras(used, users, chance)
    while counting.count_on():
        pass
    return password


CHANGED = ["seq", "rev", "last", "last_at", "changed_at", "open", "waiting", "waiting_since", "holder"]


def people(chance: random.Random) -> Iterator[Conversation]:
    bots = [Bot.objects.get_or_create(name=name)[0] for name in ("bot", "desk")]
    for number in range(PEOPLE):
        name, language = words.NAMES[number % len(words.NAMES)]
        bot = bots[chance.random() < 0.6]
        yield (
            _telegram(bot, 5_000_000 + number, name, language)
            if chance.random() < 0.55
            else _web(bot, UUID(int=chance.getrandbits(128), version=4), name, language)
        )


def _telegram(bot: Bot, number: int, name: str, language: str) -> Conversation:
    username = f"{name.split()[0].lower()}{number % 97}" if name.isascii() else ""
    person = {"external_id": str(number), "name": name, "username": username, "language": language}
    contact = Contact.objects.create(bot=bot, protocol="telegram", **person)
    key = f"chat:{number}/user:{number}"
    chat = {"id": number, "type": "private", "title": "", "thread_id": None}
    return Conversation.objects.create(
        bot=bot, contact=contact, protocol="telegram", key=key, chat=chat, address={"chat_id": number},
        part=part_of("telegram", bot.name, key),
    )  # fmt: skip


def _web(bot: Bot, uuid: UUID, name: str, language: str) -> Conversation:
    contact = Contact.objects.create(
        bot=bot, protocol="webchat", external_id=str(uuid), name=name if uuid.int % 3 else "", language=language
    )  # fmt: skip
    chat = {"id": str(uuid), "type": "web", "title": "", "thread_id": None}
    return Conversation.objects.create(
        bot=bot, contact=contact, protocol="webchat", key=str(uuid), uuid=uuid, chat=chat,
        part=part_of("webchat", bot.name, str(uuid)),
    )  # fmt: skip


def moments(chance: random.Random) -> list[datetime]:
    """When visits begin: more of them lately, few at weekends, by the hour as people are awake."""
    now = timezone.now()
    found: list[datetime] = []
    while len(found) < VISITS:
        day = now - timedelta(days=DAYS * (1 - chance.random() ** 0.7))
        if day.weekday() >= 5 and chance.random() < 0.6:
            continue
        (hour,) = chance.choices(range(24), HOURS)
        at = day.replace(hour=hour, minute=chance.randrange(60), second=chance.randrange(60))
        if at < now - timedelta(minutes=40):
            found.append(at)
    return found


def visit(talk: Talk, at: datetime, chance: random.Random, users: list[User]) -> None:
    asked, answer, human = chance.choice(words.TALKS)
    talk.add(at, "visitor", asked)
    at += timedelta(seconds=chance.uniform(0.3, 2.5))
    failure = chance.choice(words.FAILURES) if chance.random() < 0.02 else ("sent", "")
    talk.add(at, "bot", answer, status=failure[0], error=failure[1])
    if human:
        at = _by_a_human(talk, at, human, chance, users)
    for _ in range(chance.choice((0, 1, 1, 2))):
        at += timedelta(seconds=chance.uniform(8, 240))
        talk.add(at, "visitor", chance.choice(words.LATER))
        at += timedelta(seconds=chance.uniform(0.3, 3))
        talk.add(at, "bot", "You are welcome. Anything else?")


def _by_a_human(talk: Talk, at: datetime, said: str, chance: random.Random, users: list[User]) -> datetime:
    talk.add(at, "bot", f"Asks: {talk.rows[-2].text}", kind="note", method="ask_human", status="note")
    at += timedelta(seconds=chance.lognormvariate(4.2, 1.1))
    user = chance.choice(users)
    talk.add(at, "operator", said, author=user, name=user.get_full_name())
    if chance.random() < 0.15:
        talk.add(at, "operator", chance.choice(words.NOTES), author=user, kind="note", method="note", status="note")
    return at


def attend(talks: list[Talk], users: list[User], chance: random.Random) -> None:
    """As it stands now: some wait for a human, some have one, some talk with the bot."""
    now = timezone.now()
    for number, talk in enumerate(chance.sample(talks, 14)):
        since = now - timedelta(seconds=chance.uniform(20, 900))
        talk.add(since, "visitor", chance.choice(words.TALKS)[0])
        talk.add(since + timedelta(seconds=1), "bot", "I ask a colleague.")
        talk.place.open = True
        if number < 5:
            talk.place.waiting, talk.place.waiting_since = True, since
        elif number < 9:
            talk.place.holder = chance.choice(users)


def extras(talks: list[Talk], users: list[User], chance: random.Random) -> None:
    tags = [Tag.objects.create(name=name) for name in words.TAGS]
    for talk in chance.sample(talks, 60):
        if talk.place.contact is not None:
            talk.place.contact.tags.add(chance.choice(tags))
    for talk in chance.sample(talks, 120):
        score, text = chance.choice(words.COMMENTS)
        at = talk.place.last_at or timezone.now()
        Rating.objects.create(
            bot_id=talk.place.bot_id, conversation=talk.place, seq=talk.place.seq, score=score, text=text, at=at
        )  # fmt: skip
    for shortcut, text in words.REPLIES:
        Reply.objects.create(shortcut=shortcut, text=text)
    for bot in Bot.objects.all():
        WidgetOptions.objects.create(bot=bot, rating=True)
    announce(talks, users[0])


def announce(talks: list[Talk], user: User) -> None:
    """One that is over, with what became of it."""
    bots = tuple(Bot.objects.values_list("pk", flat=True))
    heard = [talk for talk in talks if talk.place.protocol == "telegram"][:150]
    at = timezone.now() - timedelta(days=2)
    told = Announcement.objects.create(
        text=words.ANNOUNCEMENTS[0], audience=Audience(bots, "telegram").stored(), author=user,
        state=AnnouncementState.DONE, counted=len(heard), written=len(heard), created_at=at, started_at=at,
        ended_at=at + timedelta(seconds=len(heard) / 30), cursors=dict.fromkeys(map(str, bots)),
    )  # fmt: skip
    rows = []
    for number, talk in enumerate(heard):
        status, error = words.FAILURES[0] if number % 40 == 7 else ("sent", "")
        talk.rows = []
        row = talk.add(
            at, "system", told.text, status=status, error=error, announcement=True, announced=told
        )  # fmt: skip
        rows.append(row)
    Message.objects.bulk_create(rows)
    Conversation.objects.bulk_update([talk.place for talk in heard], ["seq", "rev"])
