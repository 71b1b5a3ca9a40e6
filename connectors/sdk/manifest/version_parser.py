"""Parse the section `versions` of a manifest: where messages have a version, and its support."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.sender_versions import VersionDeclaration


def parse_versions(
    parser: OperatorParser, data: Mapping[str, Any]
) -> tuple[VersionDeclaration, ...]:
    """The declared versions. Problems are reported to the parser."""
    return tuple(
        _parse_version(parser, item, ("versions", index))
        for index, item in enumerate(data.get("versions", []))
    )


def _parse_version(
    parser: OperatorParser, item: Mapping[str, Any], position: tuple[str | int, ...]
) -> VersionDeclaration:
    header, member = item.get("header", "").lower(), item.get("member", "")
    if bool(header) == bool(member):
        parser.report(position, "give either `header` or `member`")
    ends: dict[str, date | None] = {}
    for version, end in item.get("deprecated", {}).items():
        try:
            ends[version] = date.fromisoformat(end) if end else None
        except ValueError:
            parser.report((*position, "deprecated", version), f"{end[:20]!r} is not a date")
    return VersionDeclaration(
        name=item["name"],
        header=header,
        pattern=_member_pattern(member) if member else "",
        supported=tuple(map(_with_wildcards, item.get("supported", []))),
        deprecated=ends,
        parked=tuple(map(_with_wildcards, item.get("parked", []))),
    )


def _member_pattern(member: str) -> str:
    """The first member of this name in a JSON document, or the attribute of an XML document."""
    name = re.escape(member)
    return rf'(?:"{name}"\s{{0,9}}:|\b{name}=)\s{{0,9}}"?(?P<version>[\w.:-]{{1,80}})'


def _with_wildcards(text: str) -> str:
    """The pattern of a version in which `*` matches any text."""
    return re.escape(text).replace(r"\*", ".*")
