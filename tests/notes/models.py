from django.db import models


class Log(models.Model):
    type = models.CharField(max_length=32)
    client = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.type} {self.client}"


class Clients(models.Model):
    channel_name = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.channel_name
