"""Versions of the messages of a sender: where a message names its version, and what is supported.

A vendor's API has versions, and so have EDI directories and our own schemas. A connector declares
where a message has its version, which it was written for, and which the vendor ends. Versions are
read without parsing the message, so that also a parked message counts.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

# A version is near the beginning of a message, or in a header.
READ_BYTES = 65_536
MAX_VERSIONS_OF_MESSAGE = 10
MAX_VERSION_LENGTH = 80
# A version counts as deprecated so long before its end.
WARN_BEFORE_END = timedelta(days=90)
MONTH = re.compile(r"(\d{4})-(\d\d)")


class VersionStatus(StrEnum):
    """Whether a version is supported. `undeclared`: the connector declares no versions."""

    SUPPORTED = "supported"
    DEPRECATED = "deprecated"
    UNSUPPORTED = "unsupported"
    UNDECLARED = "undeclared"


class SenderVersion(NamedTuple):
    """A version that a message names, such as `X-Shopify-Api-Version` `2026-07`."""

    name: str
    version: str


def _unchanged(text: str) -> str:
    return text


@dataclass(frozen=True)
class VersionDeclaration:
    """Where messages have a version, and which versions are supported.

    `header` is the name of a stored header; `pattern` finds it in the body: its named groups are
    joined with a period. `shown` turns a found text into the version.

    `supported` are patterns of versions; without any, none is known to be wrong. `deprecated` has
    versions with the date on which the vendor ends them, or None. `months`: the vendor ends a
    version that is a month, such as 2026-07, so many months later. Messages with a version that
    matches `parked` are not read: their fields mean something else.
    """

    name: str
    header: str = ""
    pattern: str = ""
    supported: tuple[str, ...] = ()
    deprecated: Mapping[str, date | None] = field(default_factory=dict)
    months: int = 0
    parked: tuple[str, ...] = ()
    shown: Callable[[str], str] = _unchanged

    @cached_property
    def _compiled(self) -> re.Pattern[bytes]:
        return re.compile(self.pattern.encode())

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[SenderVersion]:
        """The versions that a message names; several if a file has several documents."""
        texts = []
        if self.header and (text := headers.get(self.header, "").strip()):
            texts.append(text)
        if self.pattern:
            for match in self._compiled.finditer(body, 0, READ_BYTES):
                groups = (group for group in match.groupdict().values() if group)
                texts.append(b".".join(groups).decode("ascii", "replace"))
                if len(texts) == MAX_VERSIONS_OF_MESSAGE:
                    break
        versions = (self.shown(text).strip()[:MAX_VERSION_LENGTH] for text in texts)
        printable = (text for text in versions if text and text.isprintable())
        return [SenderVersion(self.name, text) for text in dict.fromkeys(printable)]

    def ends_on(self, version: str) -> date | None:
        """The date on which the vendor ends a version, if it is known."""
        if end := self.deprecated.get(version):
            return end
        if self.months and (match := MONTH.fullmatch(version)):
            months = int(match[1]) * 12 + int(match[2]) - 1 + self.months
            return date(months // 12, months % 12 + 1, 1)
        return None

    def status(self, version: str, today: date) -> VersionStatus:
        """Whether a version is supported today."""
        if self.is_parked(version):
            return VersionStatus.UNSUPPORTED
        if version in self.deprecated:
            return VersionStatus.DEPRECATED
        if self.supported and not _matches(self.supported, version):
            return VersionStatus.UNSUPPORTED
        end = self.ends_on(version)
        if end is not None and today >= end - WARN_BEFORE_END:
            return VersionStatus.DEPRECATED
        return VersionStatus.SUPPORTED if self.supported else VersionStatus.UNDECLARED

    def is_parked(self, version: str) -> bool:
        """Whether messages of a version are not read."""
        return _matches(self.parked, version)


def read_sender_versions(
    declarations: Sequence[VersionDeclaration], body: bytes, headers: Mapping[str, str]
) -> tuple[SenderVersion, ...]:
    """All versions that a message names."""
    return tuple(version for each in declarations for version in each.read(body, headers))


def parked_version(
    declarations: Sequence[VersionDeclaration], versions: Sequence[SenderVersion]
) -> SenderVersion | None:
    """The first version whose messages are not read."""
    by_name = {each.name: each for each in declarations}
    return next((v for v in versions if by_name[v.name].is_parked(v.version)), None)


def _matches(patterns: Sequence[str], version: str) -> bool:
    return any(re.fullmatch(pattern, version) for pattern in patterns)
