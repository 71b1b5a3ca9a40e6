"""A problem of the product itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: its title, an explanation with the fix, and an optional link."""

    title: str
    text: str
    href: str = ""
