"""Teams of people who own SLA rules and alerts."""

from hashlib import sha256

from django.conf import settings
from django.db import models
from django.utils.text import slugify

MAX_TITLE_LENGTH = 80


class Team(models.Model):
    """A team. `SlaRule.team` and `Alert.team` contain its title as text, beside the reference."""

    slug = models.SlugField(unique=True, max_length=60)
    title = models.CharField(unique=True, max_length=MAX_TITLE_LENGTH)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="teams")
    # Who owns new alerts of the team at first, while the account is active.
    default_owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return self.title


def find_or_create_team(title: str) -> Team | None:
    """Return the team with this title, and create it if there is none; None without a title."""
    title = title.strip()[:MAX_TITLE_LENGTH]
    if not title:
        return None
    team = Team.objects.filter(title=title).first()
    return team or Team.objects.get_or_create(title=title, defaults={"slug": _free_slug(title)})[0]


def _free_slug(title: str) -> str:
    """Return the letters of a title, with a hash if there are none or another team has them."""
    letters = slugify(title)[:50]
    if letters and not Team.objects.filter(slug=letters).exists():
        return letters
    return "-".join(filter(None, (letters, sha256(title.encode()).hexdigest()[:8])))
