"""The row of an erasure: that somebody asked for it and what came of it. Keys and numbers, nothing of the person."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from gateway.fields import JSONText


class Erasure(models.Model):
    """`contacts`: the primary keys of the person, one for each bot and protocol. `found`: what was erased, by kind."""

    contacts = JSONText(default=list)
    who = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    found = JSONText(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=models.Q(done_at__isnull=True), name="erasure_waiting"),
        ]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"
