"""Ids of Salesforce records: 15 characters that depend on case, or 18 that do not."""

import re

SHORT_ID = re.compile(r"[A-Za-z0-9]{15}")
SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def long_record_id(text: str) -> str:
    """Return the form with 18 characters of an id with 15; any other text unchanged.

    Each of the three added characters says which of five characters are upper case.
    https://help.salesforce.com/s/articleView?id=000383751
    """
    if not SHORT_ID.fullmatch(text):
        return text
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(
            1 << position
            for position, character in enumerate(text[start : start + 5])
            if character.isascii() and character.isupper()
        )
        suffix += SUFFIXES[bits]
    return text + suffix
