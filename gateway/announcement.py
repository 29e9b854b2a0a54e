"""The row of an announcement. What it says to each is a row of the transcript, like every word."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from gateway.fields import JSONText


class AnnouncementState(models.TextChoices):
    """A draft is counted and not confirmed; a running one goes on by itself, also after a restart."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class Announcement(models.Model):
    """`cursors`: for each bot's primary key the last conversation that has its row, None when all have. `written` rows
    of `counted` places; `runner` is the process that writes them."""

    text = models.TextField()
    audience = JSONText(default=dict)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    state = models.CharField(max_length=9, choices=AnnouncementState, default=AnnouncementState.DRAFT)
    counted = models.PositiveIntegerField(default=0)
    written = models.PositiveIntegerField(default=0)
    cursors = JSONText(default=dict)
    failure = models.TextField(blank=True)
    runner = models.ForeignKey("gateway.Node", null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"Announcement {self.pk}"

    @property
    def is_written(self) -> bool:
        """Everybody who is to hear it has a row."""
        return all(after is None for after in self.cursors.values())
