"""What bots keep beyond a conversation's session. Their own tables: the gateway does not know them."""

from typing import ClassVar

from django.db import models


class SurveyAnswers(models.Model):
    """One finished round of the survey. The same person may fill it in again: rounds of a conversation are counted."""

    conversation = models.UUIDField()
    round = models.PositiveIntegerField()
    name = models.CharField(max_length=256, blank=True)
    protocol = models.CharField(max_length=32)
    source = models.CharField("how they heard of us", max_length=16)
    score = models.PositiveSmallIntegerField("how likely they recommend us, 0 to 10")
    again = models.CharField("would use it again", max_length=16)
    remark = models.TextField(blank=True)
    finished_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            # The last answer may be fed twice, after a crash between this row and the event's settlement.
            models.UniqueConstraint(fields=["conversation", "round"], name="survey_round_once"),
        ]
        ordering: ClassVar = ["-finished_at"]
        verbose_name = verbose_name_plural = "survey answers"

    def __str__(self) -> str:
        return f"{self.name or self.conversation}, round {self.round}"


class FrequentQuestion(models.Model):
    """What the desk answers by itself. It is kept in the admin; a change counts from the next message."""

    question = models.CharField(max_length=200, unique=True, help_text="As people ask it. Shown on a button.")
    keywords = models.CharField(
        max_length=400, blank=True, help_text="Other words that people use for it, separated by spaces or commas."
    )
    answer = models.TextField(max_length=4000)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.question
