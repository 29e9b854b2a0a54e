"""What the web chat keeps beside the rows of the transcript."""

import uuid
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from gateway.models import Bot, Conversation

FIELD_TYPES = ("text", "email", "textarea")


class WidgetOptions(models.Model):
    """What a bot's widget offers. A bot without a row offers none of it."""

    class Form(models.TextChoices):
        NEVER = "", "no form"
        BEFORE = "before", "before the first message"
        OFFLINE = "offline", "while no operator is there"

    bot = models.OneToOneField(Bot, on_delete=models.CASCADE, related_name="widget")
    uploads = models.BooleanField(
        default=False, help_text="Visitors may send files. The setting UPLOADS has to be on as well."
    )
    rating = models.BooleanField(default=False, help_text="Visitors are asked how it was when a conversation ends.")
    form = models.CharField(max_length=8, blank=True, choices=Form, default=Form.NEVER)
    form_fields = models.TextField(
        blank=True,
        default="name|Your name\nemail*|E-mail|email",
        help_text="One field a line: name|Label|type. Type: text, email, textarea. A * after the name: required.",
    )
    identity_secret = models.CharField(
        max_length=128,
        blank=True,
        help_text="What your site signs identities with; at least 32 characters. Empty: nobody is identified.",
    )

    class Meta:
        verbose_name_plural = "widget options"

    def __str__(self) -> str:
        return f"widget of {self.bot}"

    def clean(self) -> None:
        if self.identity_secret and len(self.identity_secret) < 32:
            raise ValidationError({"identity_secret": "A secret has at least 32 characters."})  # nosec B105
        if self.form and not self.fields:
            raise ValidationError({"form_fields": "The form has no field that can be understood."})

    @property
    def fields(self) -> list[dict[str, object]]:
        """As the widget gets them: `name`, `label`, `type`, `required`. Lines that are no field are passed over."""
        found = (_field(line) for line in self.form_fields.splitlines())
        return [field for field in found if field is not None]


def _field(line: str) -> dict[str, object] | None:
    name, _, rest = line.strip().partition("|")
    label, _, kind = rest.partition("|")
    bare = name.strip().rstrip("*")
    if not bare.isidentifier() or (kind.strip() or "text") not in FIELD_TYPES:
        return None
    return {
        "name": bare,
        "label": label.strip() or bare,
        "type": kind.strip() or "text",
        "required": name.strip().endswith("*"),
    }


class Rating(models.Model):
    """How a visitor liked a scope. `seq`: the last word then; rated again before the next word, it is corrected."""

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="ratings")
    seq = models.BigIntegerField()
    score = models.SmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="rating_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["bot", "at"], name="rating_of_bot")]

    def __str__(self) -> str:
        return f"{self.score} of 5"


class File(models.Model):
    """A file that a visitor or a bot has brought. Its bytes lie under DATA_DIR/files, by its id.

    `owner`: the visitor who brought it (a UUID), before and after it is part of a message. `width` and `height` are of
    pictures, in pixels.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bot = models.ForeignKey(Bot, on_delete=models.CASCADE)
    owner = models.UUIDField()
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=127)
    size = models.BigIntegerField()
    width = models.IntegerField(null=True, blank=True)
    height = models.IntegerField(null=True, blank=True)
    at = models.DateTimeField(default=timezone.now)
    used = models.BooleanField(default=False, help_text="a message names it; else it is forgotten after a day")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["owner"], name="file_of_owner")]

    def __str__(self) -> str:
        return self.name
