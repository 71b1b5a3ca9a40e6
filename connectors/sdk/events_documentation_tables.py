"""The tables of docs/events.md, generated from the vocabulary and its descriptions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.event_term_descriptions import ATTRIBUTES, MEASURES, OBJECT_KINDS, SCHEMES
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import DATES, Attribute, EventType, IdentifierScheme
from connectors.sdk.parse_event_references import SINGLE_OBJECTS
from connectors.sdk.placeholders_and_issuers import WEAK_WITHOUT_ISSUER, WORLDWIDE_SCHEMES
from connectors.sdk.required_and_ignored_event_members import (
    REFERENCE_MEMBERS,
    ignored_members,
    members_any_of_which_is_required,
)

TABLE = re.compile(r"(<!-- table: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Members that no type uses are named once, above the table of types.
ALWAYS_IGNORED = frozenset.intersection(*map(ignored_members, EventType))


class UnknownTable(ValueError):
    """The document has a marker of a table that does not exist."""


@dataclass(frozen=True, slots=True)
class DocumentTable:
    """A table of the document."""

    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def to_markdown(self) -> str:
        """The table as Markdown."""
        separator = tuple("---" for _ in self.headers)
        return "".join(
            f"| {' | '.join(cells)} |\n" for cells in (self.headers, separator, *self.rows)
        )


def replace_tables_in_document_text(document: str) -> str:
    """Return the document with current tables. Raises UnknownTable."""
    tables = vocabulary_tables()

    def current_table(match: re.Match[str]) -> str:
        name = match[2]
        if name not in tables:
            raise UnknownTable(f"{name!r} is not a table; choose from {', '.join(tables)}")
        return f"{match[1]}\n{tables[name].to_markdown()}\n{match[3]}"

    return TABLE.sub(current_table, document)


def vocabulary_tables() -> Mapping[str, DocumentTable]:
    """All tables by name."""
    return {
        "event types": DocumentTable(
            ("type", "label", "meaning", "effect on the timeline", "required", "ignored"),
            [
                _event_type_row(event_type)
                for event_type in EVENT_TYPES
                if _is_mapped_event_type(event_type)
            ],
        ),
        "object kinds": DocumentTable(
            ("kind", "meaning", "member of the data"),
            [
                (
                    f"`{kind}`",
                    description.meaning,
                    _markdown_code_list(_data_members_of_object_kind(kind.value)),
                )
                for kind, description in OBJECT_KINDS.items()
            ],
        ),
        "identifier schemes": DocumentTable(
            ("scheme", "meaning", "without an issuer"),
            [
                (f"`{scheme}`", description.meaning, _describe_uniqueness_without_issuer(scheme))
                for scheme, description in SCHEMES.items()
            ],
        ),
        "measures": DocumentTable(
            ("measure", "meaning"),
            [(f"`{measure}`", term.meaning) for measure, term in MEASURES.items()],
        ),
        "attributes": DocumentTable(
            ("attribute", "meaning", "value"),
            [
                (f"`{name}`", term.meaning, _attribute_value_format(name))
                for name, term in ATTRIBUTES.items()
            ],
        ),
    }


def _is_mapped_event_type(event_type: EventType) -> bool:
    return event_type is not EventType.UNMAPPED


def _event_type_row(event_type: EventType) -> tuple[str, ...]:
    description, required = EVENT_TYPES[event_type], members_any_of_which_is_required(event_type)
    return (
        f"`{event_type}`",
        description.label,
        description.meaning,
        description.effect,
        "any object" if required == REFERENCE_MEMBERS else _markdown_code_list(required, " or "),
        _markdown_code_list(
            _collapse_measures_to_placeholder(ignored_members(event_type) - ALWAYS_IGNORED)
        ),
    )


def _collapse_measures_to_placeholder(members: Iterable[str]) -> list[str]:
    """The members, with one word for all measures."""
    measures = {f"lines.{measure}" for measure in MEASURES}
    names = set(members)
    return sorted(names - measures) + (["lines.<measure>"] if measures <= names else [])


def _data_members_of_object_kind(kind: str) -> list[str]:
    special = {
        "order": ["order", "orders"],
        "package": ["packages", "tracking"],
        "serialized_item": ["lines.serials"],
    }
    return special.get(kind) or [name for name, (k, _) in SINGLE_OBJECTS.items() if k == kind]


def _describe_uniqueness_without_issuer(scheme: IdentifierScheme) -> str:
    if scheme in WORLDWIDE_SCHEMES:
        return "unique worldwide"
    return "weak" if scheme in WEAK_WITHOUT_ISSUER else "the sender's"


def _attribute_value_format(name: Attribute) -> str:
    if name in DATES:
        return "ISO 8601 date or time"
    return "decimal" if name is Attribute.TOTAL else "text"


def _markdown_code_list(names: Iterable[str], separator: str = ", ") -> str:
    return separator.join(f"`{name}`" for name in names)
