"""Passwords that mainly consist of words which are easy to guess for this installation."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from visibility.models import SecuritySettings
from visibility.preferences.customer_brand import current_brand
from visibility.storage.organization import organization_name

# The documented list: docs/people.md.
COMMON_TERMS = (
    "throughline",
    "admin",
    "administrator",
    "changeme",
    "default",
    "letmein",
    "login",
    "password",
    "passwort",
    "qwerty",
    "secret",
    "signin",
    "welcome",
)
MIN_TERM_LENGTH = 3
# Words of a longer name count from this length on: "and", "the" and "inc" are in many phrases.
MIN_PARTIAL_LENGTH = 4
MIN_OTHER_CHARACTERS = 8
SENTENCE = (
    "This password mainly consists of words that are easy to guess here, such as the name of the "
    "organization, the product or a person. Choose another one."
)
# What people write in place of letters.
REPLACED = str.maketrans("@430!1$57", "aaeoiisst")


class KnownTermsValidator:
    """Refuses passwords of names and words that others know."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError."""
        if consists_of_terms(password, load_terms(user)):
            raise ValidationError(SENTENCE, code="password_of_known_terms")

    def get_help_text(self) -> str:
        return "Your password must not mainly consist of names and words that others can guess."


def load_terms(user: Any = None) -> list[str]:
    """Common words, those of administrators, and names of the organization and the person."""
    row = SecuritySettings.objects.first()
    return [
        *COMMON_TERMS,
        *(row.refused_password_terms if row else ()),
        organization_name(),
        current_brand().display_name,
        urlsplit(settings.PUBLIC_URL).hostname or "",
        *(str(getattr(user, name, "") or "") for name in NAMES_OF_USER),
    ]


NAMES_OF_USER = ("username", "first_name", "last_name", "email")


def consists_of_terms(password: str, terms: Iterable[str]) -> bool:
    """Whether a term is in the password, and fewer than 8 other letters and digits.

    Capital letters, spaces and signs do not count, and digits in place of letters are letters.
    """
    wanted = sorted(_spellings(terms), key=len, reverse=True)
    normalized = _letters_and_digits(password)
    for text in {normalized, _letters_and_digits(_with_letters(password))}:
        other = text
        for term in wanted:
            other = other.replace(term, " ")
        if other != text and len(other.replace(" ", "")) < MIN_OTHER_CHARACTERS:
            return True
    return False


def _spellings(terms: Iterable[str]) -> set[str]:
    """The terms as a whole, and the longer words in them."""
    spellings = set()
    for term in terms:
        if len(name := _letters_and_digits(term)) >= MIN_TERM_LENGTH:
            spellings |= {name, _letters_and_digits(_with_letters(term))}
        pieces = map(_letters_and_digits, re.split(r"[\W_]+", term))
        spellings |= {piece for piece in pieces if len(piece) >= MIN_PARTIAL_LENGTH}
    return spellings


def _with_letters(text: str) -> str:
    return text.translate(REPLACED)


def _letters_and_digits(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
