"""The rows that the dashboard is made of: counts by the hour and visits, which hold no words and no names."""

from typing import ClassVar

from django.db import models


class Tally(models.Model):
    """What happened in one hour (UTC) with one bot on one protocol: words that came in, words that were said by whom,
    and visits that began."""

    bot = models.ForeignKey("gateway.Bot", on_delete=models.CASCADE)
    protocol = models.CharField(max_length=32)
    day = models.DateField()
    hour = models.SmallIntegerField()
    came_in = models.PositiveIntegerField(default=0)
    by_bot = models.PositiveIntegerField(default=0)
    by_operator = models.PositiveIntegerField(default=0)
    by_system = models.PositiveIntegerField(default=0)
    visits = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", "hour", "bot", "protocol"], name="tally_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.hour}:00 {self.protocol}"


class Visit(models.Model):
    """Somebody's words and the answers to them, until nobody says anything for a while. Times are seconds.

    `first_answer`: until a bot or an operator said something; `human_answer`: from asking for a human, where the bot
    did, until an operator did; `length`: from the first word to the last.
    """

    conversation = models.ForeignKey("gateway.Conversation", on_delete=models.CASCADE, related_name="visits")
    bot = models.ForeignKey("gateway.Bot", on_delete=models.CASCADE, db_index=False)
    protocol = models.CharField(max_length=32)
    began_at = models.DateTimeField()
    last_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)
    first_answer = models.FloatField(null=True, blank=True)
    human_answer = models.FloatField(null=True, blank=True)
    length = models.FloatField(default=0.0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["bot", "began_at"], name="visit_of_bot")]

    def __str__(self) -> str:
        return f"Visit {self.pk}"


class Bookmark(models.Model):
    """How far something that goes on by itself has come: the last `row` it has done, and when that was."""

    name = models.CharField(max_length=32, unique=True)
    row = models.BigIntegerField(default=0)
    at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
