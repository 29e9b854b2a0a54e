"""The rows of the operators' work beside the transcript: who may do what, who did what, tags and ready answers."""

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone

from gateway.fields import JSONText


class Role(models.IntegerChoices):
    """What somebody may do at a bot's conversations. Each may what the ones before it may."""

    NONE = 0, "none"
    WATCH = 1, "watch"
    ANSWER = 2, "answer"
    LEAD = 3, "lead"
    ADMINISTER = 4, "administer"


class Grant(models.Model):
    """The members of a group have this role at this bot."""

    bot = models.ForeignKey("gateway.Bot", on_delete=models.CASCADE, related_name="grants")
    group = models.ForeignKey(Group, on_delete=models.CASCADE)
    role = models.SmallIntegerField(choices=[choice for choice in Role.choices if choice[0] != Role.NONE])

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["bot", "group"], name="grant_once")]

    def __str__(self) -> str:
        return f"{self.group}: {Role(self.role).label}"


class Tag(models.Model):
    """A word that operators give to people."""

    name = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Reply(models.Model):
    """An answer that is ready to be used. Without a bot it is for all of them."""

    bot = models.ForeignKey("gateway.Bot", null=True, blank=True, on_delete=models.CASCADE)
    shortcut = models.CharField(max_length=40, help_text="What is typed after / to find it.")
    text = models.TextField(max_length=4096)

    class Meta:
        ordering: ClassVar = ["shortcut", "pk"]
        verbose_name_plural = "replies"

    def __str__(self) -> str:
        return self.shortcut


class Appended(models.QuerySet["Audit"]):
    """Rows that are written once."""

    def update(self, **fields: Any) -> NoReturn:
        raise TypeError("The audit log is not changed.")

    def delete(self) -> NoReturn:
        raise TypeError("Nothing is deleted from the audit log.")


class Audit(models.Model):
    """What an operator did: no words of anybody, and no reference whose end would change the row.

    `who` is the user's name at the time. `detail`: a flat dict of facts, such as {"to": "bea"}.
    """

    at = models.DateTimeField(default=timezone.now, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    who = models.CharField(max_length=150)
    action = models.CharField(max_length=32)
    bot = models.ForeignKey("gateway.Bot", null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    conversation = models.UUIDField(null=True)
    detail = JSONText(default=dict)

    objects = Appended.as_manager()

    class Meta:
        verbose_name_plural = "audit log"
        indexes: ClassVar = [
            models.Index(fields=["conversation"], name="audit_conversation"),
            models.Index(fields=["who", "id"], name="audit_who"),
            models.Index(fields=["action", "id"], name="audit_action"),
        ]

    def __str__(self) -> str:
        return f"{self.who} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The audit log is not changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Nothing is deleted from the audit log.")
