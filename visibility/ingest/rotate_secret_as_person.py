"""Replace the secret of a source, with an overlap that a person chooses."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from connectors.catalog import connectors_by_slug
from connectors.sdk.parse_setting_values import parse_integer
from connectors.sdk.settings import SettingError
from visibility.ingest.add_source_and_rotate_secret import (
    MAX_ROTATION_OVERLAP,
    InvalidSource,
    rotate_secret,
)
from visibility.ingest.check_new_source import SECRET, weak_or_invalid_secret_sentence
from visibility.models.sources_and_messages import Source


def rotate_secret_as_person(
    source: Source, *, secret: str, hours: str, now: datetime, user: User
) -> str:
    """Replace the secret by the entered or a new one, and return it.

    `hours`: how long old secrets stay valid, from 0 (they are refused at once) to 720. Raises
    InvalidSource.
    """
    errors = []
    kind = connectors_by_slug().get(source.connector)
    overlap = timedelta()
    try:
        overlap = timedelta(hours=parse_integer(hours.strip()))
        if not timedelta() <= overlap <= MAX_ROTATION_OVERLAP:
            raise ValueError("Enter a number of hours from 0 to 720.")
    except (ValueError, OverflowError) as error:
        errors.append(SettingError("hours", str(error)))
    if kind and (sentence := weak_or_invalid_secret_sentence(kind, secret)):
        errors.append(SettingError(SECRET, sentence))
    if errors:
        raise InvalidSource(errors)
    return rotate_secret(source, secret=secret, overlap=overlap, now=now, user=user)
