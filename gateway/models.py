"""The rows. One table of messages is transcript, inbox and outbox (see docs/architecture.md)."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from gateway.announcement import Announcement as Announcement
from gateway.announcement import AnnouncementState as AnnouncementState
from gateway.console_models import Audit as Audit
from gateway.console_models import Grant as Grant
from gateway.console_models import Reply as Reply
from gateway.console_models import Role as Role
from gateway.console_models import Tag as Tag
from gateway.erasure import Erasure as Erasure
from gateway.fields import JSONText
from gateway.tallies import Bookmark as Bookmark
from gateway.tallies import Tally as Tally
from gateway.tallies import Visit as Visit


class Direction(models.TextChoices):
    IN = "in"
    OUT = "out"


class Sender(models.TextChoices):
    VISITOR = "visitor"
    BOT = "bot"
    OPERATOR = "operator"
    SYSTEM = "system"


class Kind(models.TextChoices):
    """What a row is. Only messages and buttons are words, and only words have a `seq`."""

    MESSAGE = "message"
    BUTTON = "button"
    EDIT = "edit"
    UPDATE = "update"
    CALL = "call"
    NOTE = "note"
    RESULT = "result"
    RESUME = "resume"
    DISCONNECT = "disconnect"


class Status(models.TextChoices):
    """Inbound: received, in_hand, done, failed, dead. Outbound: queued, sending, sent, failed, unknown, note."""

    RECEIVED = "received"
    IN_HAND = "in_hand"
    DONE = "done"
    DEAD = "dead"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    NOTE = "note"
    FAILED = "failed"


UNSETTLED = (Status.RECEIVED, Status.IN_HAND)
FAILED = (Status.FAILED, Status.DEAD, Status.UNKNOWN)


class Node(models.Model):
    """A gateway process over this database. `beat` moves while it lives; nothing compares clocks."""

    slot = models.CharField(max_length=32, unique=True)
    place = models.CharField(max_length=128, help_text="host and process id, for people")
    beat = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    beaten_at = models.DateTimeField(null=True, blank=True, help_text="the last beat, by the database's clock")
    told = JSONText(null=True, blank=True, help_text="what it says of itself at every beat")

    def __str__(self) -> str:
        return self.place


class Part(models.Model):
    """A share of all conversations, those of one chat together (parts.py). `owner`: the process that runs them."""

    number = models.SmallIntegerField(primary_key=True)
    owner = models.ForeignKey(Node, null=True, blank=True, on_delete=models.SET_NULL, related_name="parts")

    def __str__(self) -> str:
        return str(self.number)


class Bot(models.Model):
    name = models.CharField(max_length=64, unique=True)
    widget_origins = models.TextField(
        blank=True,
        help_text="Sites whose pages may open this bot's widget, one origin a line "
        "(https://shop.example). Empty: the setting WIDGET_ORIGINS.",
    )
    at_most_once = models.BooleanField(
        default=False,
        help_text="Never repeat a send whose outcome is unknown; it may then be missing instead of double.",
    )
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)],
        help_text="Words that are older are deleted, once a day. Empty: they are kept.",
    )  # fmt: skip
    operators = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="operates",
        help_text="Who may see and answer this bot's conversations. Nobody here and below: all staff, by their groups.",
    )
    watchers = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="watches",
        help_text="Who may see this bot's conversations, and not answer.",
    )

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """A person as one protocol knows them, towards one bot. `details`: what else is known (`{"email": …}`)."""

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE)
    protocol = models.CharField(max_length=32)
    external_id = models.CharField(max_length=64)
    name = models.CharField(max_length=256, blank=True)
    username = models.CharField(max_length=256, blank=True)
    language = models.CharField(max_length=35, blank=True)
    details = JSONText(default=dict, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    blocked_at = models.DateTimeField(null=True, blank=True)
    banned_at = models.DateTimeField(null=True, blank=True, help_text="since when their words are kept and not fed")
    tags = models.ManyToManyField(Tag, blank=True, related_name="contacts")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bot", "protocol", "external_id"], name="contact_once"),
        ]

    def __str__(self) -> str:
        return self.name or self.username or self.external_id


class Conversation(models.Model):
    """The permanent row of one user (or room) with one bot on one protocol.

    `seq` and `rev` are the counters that its messages take their numbers from. A scope is open from a message that
    finds none until its end; `session` and `deadline` belong to the open scope, `waiting` stays until a human comes.
    `banned` is its contact's `banned_at`, beside the counters, where it costs no query. `part` says which process runs
    it; `handed_rev` is the rev at which another process last left it a row to be fed or delivered.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    bot = models.ForeignKey(Bot, on_delete=models.CASCADE)
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.CASCADE)
    protocol = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    chat = JSONText(default=dict, blank=True)
    address = JSONText(default=dict, blank=True)

    seq = models.BigIntegerField(default=0)
    rev = models.BigIntegerField(default=0)
    last = models.TextField(blank=True)
    last_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    open = models.BooleanField(default=False)
    waiting = models.BooleanField(default=False)
    waiting_since = models.DateTimeField(null=True, blank=True)
    banned = models.BooleanField(default=False)
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    held_since_seq = models.BigIntegerField(default=0)
    session = JSONText(default=dict, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)

    part = models.SmallIntegerField(default=0, db_default=0, editable=False)
    handed_rev = models.BigIntegerField(default=0, db_default=0, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bot", "protocol", "key"], name="conversation_once"),
            models.CheckConstraint(condition=Q(rev__gte=F("seq")), name="conversation_rev_counts_all"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["changed_at"], name="conversation_changed"),
            models.Index(fields=["last_at"], name="conversation_last"),
            models.Index(fields=["id"], condition=Q(open=True), name="conversation_open"),
            models.Index(fields=["id"], condition=Q(holder__isnull=False), name="conversation_held"),
            models.Index(fields=["id"], condition=Q(waiting=True), name="conversation_waiting"),
        ]
        permissions: ClassVar = [
            ("watch_conversations", "Can read conversations at the console"),
            ("answer_conversations", "Can take conversations over and answer"),
            ("lead_conversations", "Can assign, ban, and read the audit log"),
            ("administer_conversations", "Can export and erase people"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def state(self) -> str:
        """As the admin socket says it: "held", "waiting", "bot" or "ended"."""
        if self.holder_id is not None:
            return "held"
        if self.waiting:
            return "waiting"
        return "bot" if self.open else "ended"


class Message(models.Model):
    """A row of the transcript, in or out.

    `method` is the update's own kind inbound ("message", "callback_query") and the method called outbound
    ("send_message"); `payload` holds the event's keys, or the method's arguments. `rev` is the conversation's counter
    at the row's last change, `seen_rev` at the last change of what a visitor sees of it. `rich`: what is seen beside
    the plain text, as types.py says.
    """

    # An index costs every row that is written: the keys below are found by the constraints and indexes of Meta.
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False)
    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, db_index=False)
    direction = models.CharField(max_length=3, choices=Direction)
    kind = models.CharField(max_length=16, choices=Kind)
    sender = models.CharField(max_length=16, choices=Sender)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, db_index=False
    )
    name = models.CharField(max_length=256, blank=True)
    at = models.DateTimeField(default=timezone.now)

    seq = models.BigIntegerField(null=True, blank=True)
    rev = models.BigIntegerField()
    seen_rev = models.BigIntegerField(default=0)

    text = models.TextField(blank=True)
    rich = JSONText(null=True, blank=True)
    buttons = JSONText(null=True, blank=True)
    method = models.CharField(max_length=64)
    payload = JSONText(default=dict, blank=True)
    ref = models.CharField(max_length=255, blank=True)

    update_id = models.BigIntegerField(null=True, blank=True)
    client_id = models.CharField(max_length=160, null=True, blank=True)
    external_id = models.BigIntegerField(null=True, blank=True)
    parts = JSONText(default=list, blank=True)

    cause = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="said", db_index=False
    )
    ordinal = models.IntegerField(null=True, blank=True)
    attempt = models.SmallIntegerField(default=0)

    status = models.CharField(max_length=8, choices=Status)
    error = models.TextField(blank=True)
    feedings = models.SmallIntegerField(default=0)
    sends = models.SmallIntegerField(default=0)
    unknowns = models.SmallIntegerField(default=0, help_text="calls of which nobody knows whether they were done")
    due_at = models.DateTimeField(null=True, blank=True)
    at_most_once = models.BooleanField(default=False)
    announcement = models.BooleanField(default=False, help_text="paced, and behind every answer")
    announced = models.ForeignKey(
        Announcement, null=True, blank=True, on_delete=models.SET_NULL, related_name="messages", db_index=False
    )
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bot", "update_id"], condition=Q(update_id__isnull=False), name="message_update_once"
            ),
            models.UniqueConstraint(
                fields=["conversation", "client_id"], condition=Q(client_id__isnull=False), name="message_client_once"
            ),
            models.UniqueConstraint(
                fields=["conversation", "seq"], condition=Q(seq__isnull=False), name="message_seq_once"
            ),
            # Also what finds all that was said to a row: what has no ordinal is in it, and equal to nothing.
            models.UniqueConstraint(
                fields=["cause", "ordinal", "attempt"], condition=Q(cause__isnull=False), name="message_said_once"
            ),
            models.UniqueConstraint(
                fields=["announced", "conversation"],
                condition=Q(announced__isnull=False),
                name="message_announced_once",
            ),
            models.CheckConstraint(condition=Q(direction__in=["in", "out"]), name="message_direction"),
            models.CheckConstraint(condition=Q(seen_rev__lte=F("rev")), name="message_seen_rev"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["conversation", "rev"], name="message_rev"),
            models.Index(fields=["author"], condition=Q(author__isnull=False), name="message_author"),
            models.Index(
                fields=["conversation", "id"], condition=Q(status__in=["received", "in_hand"]), name="message_inbox"
            ),
            models.Index(fields=["id"], condition=Q(status__in=["queued", "sending"]), name="message_outbox"),
            models.Index(fields=["id"], condition=Q(status__in=["unknown", "dead"]), name="message_doubtful"),
            models.Index(fields=["at"], condition=Q(status__in=["failed", "dead", "unknown"]), name="message_failed"),
            models.Index(fields=["conversation", "ref"], condition=~Q(ref=""), name="message_ref"),
            models.Index(
                fields=["conversation", "external_id"], condition=Q(external_id__isnull=False), name="message_external"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.kind} {self.pk}"
