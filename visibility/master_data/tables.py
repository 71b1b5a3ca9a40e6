"""The master data tables: their columns, keys, and the vocabulary that each row translates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Model

from visibility.master_data import cell_conversion
from visibility.master_data.cell_conversion import CellValue, InvalidCell, MasterColumn
from visibility.master_data.status_terms import parse_status
from visibility.models.master import (
    KEY_SEPARATOR,
    Customer,
    Item,
    Location,
    TaxJurisdiction,
    TermKind,
    TermMapping,
    UnitFactor,
    Versioned,
    normalize_term,
)

# In bytes: PostgreSQL's index limit, with room for letters that grow in upper case.
MAX_KEY_BYTES = 1_600

COMMON_COLUMNS = (
    MasterColumn(
        "valid_from",
        "Valid from",
        cell_conversion.parse_date_or_time_to_utc_text,
        cell_conversion.format_date_or_time,
        default=None,
        description="A date, or a time with an offset. Blank: always.",
    ),
    MasterColumn(
        "valid_to",
        "Valid to",
        cell_conversion.parse_date_or_time_to_utc_text,
        cell_conversion.format_date_or_time,
        default=None,
        description="The row is valid before this date or time. Blank: until replaced.",
    ),
    MasterColumn(
        "owner",
        "Owner",
        str,
        max_length=80,
        description="The person or team responsible for this row.",
    ),
    MasterColumn("note", "Note", str, max_length=500),
)


@dataclass(frozen=True)
class MasterRowToWrite:
    """A row to write: JSON values by column, including `key`."""

    values: Mapping[str, CellValue]

    @property
    def key(self) -> str:
        """The normalized key of the row."""
        return str(self.values["key"])


@dataclass(frozen=True)
class MasterTable:
    """A master data table."""

    code: str
    title: str
    singular: str
    model: type[Versioned]
    own_columns: tuple[MasterColumn, ...]
    key_columns: tuple[str, ...]
    description: str

    @cached_property
    def columns(self) -> tuple[MasterColumn, ...]:
        """Its own columns, then the columns common to all tables."""
        return (*self.own_columns, *COMMON_COLUMNS)

    @cached_property
    def db_table(self) -> str:
        """The name of the database table."""
        return self.model._meta.db_table

    @cached_property
    def columns_written_from_values(self) -> tuple[str, ...]:
        """The database columns that are written from a row's values."""
        managed_columns = {"id", "version", "changed_at", "changed_by_id"}
        columns = (str(f.column) for f in self.model._meta.concrete_fields)
        return tuple(column for column in columns if column not in managed_columns)

    def parse_row_or_raise_invalid_cell(self, given: Mapping[str, str]) -> MasterRowToWrite:
        """Parse a row from its cells. Raises InvalidCell for the first error."""
        values: dict[str, CellValue] = {
            c.name: c.parse_cell(given.get(c.name, "")) for c in self.columns
        }
        starts, ends = values["valid_from"], values["valid_to"]
        if starts and ends and datetime_from_row_value(starts) >= datetime_from_row_value(ends):
            raise InvalidCell("valid_to must be after valid_from")
        if self.code == "mapping":
            values["term"] = normalize_term(str(values["external"]))
            if values["kind"] == TermKind.STATUS:
                values["canonical"] = parse_status(str(values["canonical"]))
        if self.code == "unit":
            values["item_key"] = normalize_term(str(values["item"]))
        if self.code == "customer":
            values["parent_key"] = normalize_term(str(values["parent"]))
            if values["parent_key"] == normalize_term(str(values["number"])):
                raise InvalidCell("a customer cannot be its own parent")
        values["key"] = self.normalized_key_of(values)
        names = (values["key"], *(values.get(n, "") for n in ("term", "item_key", "parent_key")))
        if any(len(str(name).encode()) > MAX_KEY_BYTES for name in names):
            raise InvalidCell(f"{self.key_columns[-1]} is too long")
        return MasterRowToWrite(values)

    def normalized_key_of(self, values: Mapping[str, Any]) -> str:
        """The normalized key of these values."""
        return KEY_SEPARATOR.join(normalize_term(str(values[name])) for name in self.key_columns)

    def format_cells(self, row: Model | Mapping[str, Any]) -> dict[str, str]:
        """Format a row, or its JSON image, as text cells."""
        if isinstance(row, Model):
            return {c.name: c.format_cell(getattr(row, c.name)) for c in self.columns}
        return {c.name: c.format_cell(row.get(c.name)) for c in self.columns}

    def vocabulary_kind_and_source(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """The vocabulary (kind, source) that a row of this table translates."""
        if self.code == "mapping":
            return str(row["kind"]), str(row["source"])
        return self.code, ""


def datetime_from_row_value(text: CellValue) -> datetime:
    """Parse a time value of a row."""
    return datetime.fromisoformat(str(text))


def _build_master_table(
    code: str,
    title: str,
    singular: str,
    model: type[Versioned],
    *own_columns: MasterColumn,
    key_columns: str,
    description: str,
) -> MasterTable:
    return MasterTable(
        code, title, singular, model, own_columns, tuple(key_columns.split()), description
    )


TABLES: Mapping[str, MasterTable] = {
    table.code: table
    for table in (
        _build_master_table(
            "mapping",
            "Mappings",
            "mapping",
            TermMapping,
            MasterColumn("kind", "Kind", str, required=True, choices=tuple(TermKind.values)),
            MasterColumn("external", "Source value", str, required=True),
            MasterColumn("source", "Source", str, max_length=60, description="Blank: all sources."),
            MasterColumn(
                "canonical",
                "Our value",
                str,
                required=True,
                description="Our number, code or name; for a status one of our statuses.",
            ),
            key_columns="kind source external",
            description="Translates values of a source to our values.",
        ),
        _build_master_table(
            "item",
            "Items",
            "item",
            Item,
            MasterColumn("number", "Number", str, required=True),
            MasterColumn("title", "Title", str, max_length=300),
            MasterColumn(
                "unit", "Base unit", cell_conversion.normalize_code, max_length=20, default="EA"
            ),
            MasterColumn("ean", "EAN", str, max_length=20),
            MasterColumn("item_class", "Class", str, max_length=60),
            MasterColumn(
                "components",
                "Components",
                cell_conversion.parse_kit_components,
                cell_conversion.format_kit_components,
                max_length=20_000,
                default={},
                description="For a kit: A-1: 2, B-2: 1/2.",
            ),
            key_columns="number",
            description="Items with their base unit and the components of kits.",
        ),
        _build_master_table(
            "unit",
            "Units",
            "unit factor",
            UnitFactor,
            MasterColumn("item", "Item", str, description="Blank: all items with this base unit."),
            MasterColumn(
                "unit", "Unit", cell_conversion.normalize_code, max_length=20, required=True
            ),
            MasterColumn(
                "base", "Base unit", cell_conversion.normalize_code, max_length=20, required=True
            ),
            MasterColumn(
                "numerator",
                "Numerator",
                cell_conversion.parse_positive_int,
                required=True,
                is_number=True,
                max_length=19,
                description="One unit is exactly numerator/denominator base units.",
            ),
            MasterColumn(
                "denominator",
                "Denominator",
                cell_conversion.parse_positive_int,
                default=1,
                is_number=True,
                max_length=19,
            ),
            key_columns="item unit base",
            description="Exact conversion factors from a unit to the base unit.",
        ),
        _build_master_table(
            "location",
            "Locations",
            "location",
            Location,
            MasterColumn("code", "Code", str, max_length=100, required=True),
            MasterColumn("title", "Title", str, max_length=200),
            MasterColumn(
                "zone",
                "Time zone",
                cell_conversion.validate_time_zone_name,
                max_length=60,
                default="UTC",
            ),
            MasterColumn(
                "calendar", "Calendar", str, max_length=50, description="Code of a work calendar."
            ),
            key_columns="code",
            description="Warehouses, branches and 3PL sites.",
        ),
        _build_master_table(
            "customer",
            "Customers",
            "customer",
            Customer,
            MasterColumn("number", "Number", str, max_length=100, required=True),
            MasterColumn("name", "Name", str),
            MasterColumn("group", "Group", str, max_length=100),
            MasterColumn(
                "parent",
                "Parent",
                str,
                max_length=100,
                description="Number of the parent customer.",
            ),
            MasterColumn(
                "roles",
                "Roles",
                cell_conversion.parse_customer_roles,
                cell_conversion.format_customer_roles,
                default=[],
                description="sold_to ship_to bill_to",
            ),
            key_columns="number",
            description="Customers with their group and parent.",
        ),
        _build_master_table(
            "tax",
            "Tax jurisdictions",
            "jurisdiction",
            TaxJurisdiction,
            MasterColumn("ship_to", "Ship-to", str, max_length=100, required=True),
            MasterColumn("jurisdiction", "Jurisdiction", str, max_length=100, required=True),
            MasterColumn("title", "Title", str, max_length=200),
            key_columns="ship_to",
            description="The tax jurisdiction of a ship-to.",
        ),
    )
}
