"""Links into a source: the URL template for a kind of record, and the URL of one record."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from connectors.sdk.events import IdentifierScheme, ObjectKind
from connectors.sdk.parse_setting_values import check_and_return_http_url

RECORD_LINK_PREFIX = "record_link."
NUMBER = "number"
LINKED_KINDS = frozenset(ObjectKind) - {
    ObjectKind.CUSTOMER,
    ObjectKind.ITEM,
    ObjectKind.ORDER_LINE,
    ObjectKind.SERIALIZED_ITEM,
    ObjectKind.VEHICLE,
    ObjectKind.CONTAINER,
}
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
ADDRESS_BEFORE_PATH = re.compile(r"https?://[^/?#{}]+[/?#]", re.IGNORECASE)
# Browsers drop some of these silently, or read them as other characters.
UNSAFE_CHARACTERS = re.compile('[\\s\x00-\x20\x7f<>"\\\\^`|]')


def check_linked_kind(kind: str) -> None:
    """Raise ValueError unless order pages show numbers of records of this kind."""
    if kind not in {known.value for known in LINKED_KINDS}:
        names = ", ".join(sorted(known.value for known in LINKED_KINDS))
        raise ValueError(f"{kind[:40]!r} is not one of {names}.")


def check_record_link(template: str) -> None:
    """Raise ValueError, with a sentence, unless the template makes an http or https URL."""
    names = PLACEHOLDER.findall(template)
    allowed = {NUMBER, *(scheme.value for scheme in IdentifierScheme)}
    if unknown := next((name for name in names if name not in allowed), None):
        raise ValueError(
            f"{{{unknown[:40]}}} is not a placeholder. Use {{{NUMBER}}}, or a kind of number of "
            "the same record, such as {source_id}."
        )
    sample = PLACEHOLDER.sub("1", template)
    if "" in names or "{" in sample or "}" in sample:
        raise ValueError(f"Write placeholders as {{{NUMBER}}}.")
    if UNSAFE_CHARACTERS.search(sample):
        raise ValueError("Percent-encode spaces and characters that a URL cannot contain.")
    check_and_return_http_url(sample)
    if not ADDRESS_BEFORE_PATH.match(template):
        raise ValueError("Placeholders may be in the path and the query, not in the host.")
    if not names:
        raise ValueError(f"Write {{{NUMBER}}} where the number belongs.")


def record_link_templates(config: Mapping[str, object]) -> dict[str, str]:
    """The valid templates in the settings of a source, by the kind of record."""
    templates = {}
    for name, template in config.items():
        kind = name.removeprefix(RECORD_LINK_PREFIX)
        if kind == name or not isinstance(template, str):
            continue
        try:
            check_linked_kind(kind)
            check_record_link(template)
        except ValueError:
            continue
        templates[kind] = template
    return templates


def record_link(template: str, number: str, numbers_of_record: Mapping[str, str]) -> str:
    """The URL of a record, each value percent-encoded; empty if a placeholder has no value."""
    if not number:
        return ""
    values = {**numbers_of_record, NUMBER: number}
    wanted = {name: values.get(name, "") for name in PLACEHOLDER.findall(template)}
    # A path segment of dots alone would lead to another page of the system.
    if any(not value.strip(". ") for value in wanted.values()):
        return ""
    return PLACEHOLDER.sub(lambda match: quote(wanted[match[1]], safe=""), template)
