"""Check what is entered about a new source: all of its errors, by field."""

from collections.abc import Mapping

from connectors.sdk.connector import Connector
from connectors.sdk.parse_setting_values import check_slug, parse_storable_text
from connectors.sdk.settings import SettingError
from visibility.ingest.check_source_settings import find_setting_errors
from visibility.ingest.source_secrets import MIN_SECRET_BYTES, is_short
from visibility.models.sources_and_messages import Source

MAX_TITLE_LENGTH = 120
# Slugs that are addresses of other pages below /sources.
RESERVED_SLUGS = frozenset({"new", "export"})
# The name of the secret of the source itself, for errors.
SECRET = "secret"  # noqa: S105  # a name


def new_source_errors(
    slug: str, kind: type[Connector], config: Mapping[str, str], *, title: str, secret: str
) -> list[SettingError]:
    """Return an error for each invalid field. A blank title or secret is chosen by the product."""
    errors = [*_slug_errors(slug), *find_setting_errors(kind, config)]
    try:
        if title:
            parse_source_title(title)
    except ValueError as error:
        errors.append(SettingError("title", str(error)))
    if sentence := weak_or_invalid_secret_sentence(kind, secret):
        errors.append(SettingError(SECRET, sentence))
    return errors


def parse_source_title(text: str) -> str:
    """Return a title without repeated spaces. Raises ValueError."""
    title = " ".join(parse_storable_text(text).split())
    if not title:
        raise ValueError("Enter a title.")
    if len(title) > MAX_TITLE_LENGTH:
        raise ValueError(f"The title is longer than {MAX_TITLE_LENGTH} characters.")
    return title


def _slug_errors(slug: str) -> list[SettingError]:
    try:
        check_slug(slug)
    except ValueError as error:
        return [SettingError("slug", str(error))]
    if slug in RESERVED_SLUGS:
        return [SettingError("slug", f"{slug!r} is reserved. Enter another name.")]
    if Source.objects.filter(slug=slug).exists():
        return [SettingError("slug", f"A source {slug!r} already exists.")]
    return []


def weak_or_invalid_secret_sentence(kind: type[Connector], secret: str) -> str:
    """Return why the secret cannot be used; empty if it can, or if it is blank."""
    if not secret:
        return ""
    try:
        parse_storable_text(secret)
    except ValueError as error:
        return str(error)
    if is_short(secret) and not kind.allows_short_secrets:
        return f"A secret needs at least {MIN_SECRET_BYTES} bytes."
    return ""
