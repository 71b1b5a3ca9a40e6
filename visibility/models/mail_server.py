"""The mail server that an administrator entered in the browser or over the API."""

from typing import ClassVar

from django.db import models


class MailSecurity(models.TextChoices):
    """How the connection to a mail server is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class MailServer(models.Model):
    """The SMTP server of all email, in at most one row. EMAIL_HOST of the environment wins."""

    host = models.CharField(max_length=253)
    port = models.IntegerField()
    security = models.CharField(max_length=10)  # a MailSecurity
    username = models.CharField(max_length=200, default="")
    sealed_password = models.TextField(default="")
    sender = models.CharField(max_length=250)
    # When this server last accepted a test message; null after a change.
    tested_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="mail_server_one_row"),
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65_535), name="mail_server_port"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
