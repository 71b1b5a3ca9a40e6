"""The master tables: their columns, what names a row, which words a row gives a meaning to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Model

from visibility.master_data import cells
from visibility.master_data.cells import BadCell, Column, Value
from visibility.models.master import (
    JOINT,
    Customer,
    Dated,
    Item,
    Location,
    TaxJurisdiction,
    UnitFactor,
    WordMapping,
    WordTable,
    same,
)

# Bytes: an index takes no more, and some letters are longer as capitals.
LONGEST_NAME = 1_600

EVER = (
    Column(
        "valid_from",
        "Valid from",
        cells.moment,
        cells.moment_cell,
        default=None,
        about="A day, or a time with zone; empty: since ever.",
    ),
    Column(
        "valid_to",
        "Valid to",
        cells.moment,
        cells.moment_cell,
        default=None,
        about="The first moment at which it no longer holds; empty: until something follows.",
    ),
    Column("owner", "Owner", str, longest=80, about="Who answers for this row."),
    Column("note", "Note", str, longest=500),
)


@dataclass(frozen=True)
class Row:
    """One row to be written: the values of its columns as JSON has them, `key` among them."""

    values: Mapping[str, Value]

    @property
    def key(self) -> str:
        """What names it."""
        return str(self.values["key"])


@dataclass(frozen=True)
class Table:
    """One master table."""

    code: str
    title: str
    one: str
    model: type[Dated]
    own: tuple[Column, ...]
    naming: tuple[str, ...]
    about: str

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Its own columns and those of every table."""
        return (*self.own, *EVER)

    @cached_property
    def db_table(self) -> str:
        """The name of the rows' table."""
        return self.model._meta.db_table

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The database's columns that a row's values fill."""
        ours = {"id", "version", "changed_at", "changed_by_id"}
        columns = (str(f.column) for f in self.model._meta.concrete_fields)
        return tuple(column for column in columns if column not in ours)

    def read(self, given: Mapping[str, str]) -> Row:
        """A row from its cells. Raises BadCell with the first thing that is wrong."""
        values: dict[str, Value] = {c.name: c.value(given.get(c.name, "")) for c in self.columns}
        starts, ends = values["valid_from"], values["valid_to"]
        if starts and ends and at(starts) >= at(ends):
            raise BadCell("valid_to must be after valid_from")
        if self.code == "mapping":
            values["word"] = same(str(values["theirs"]))
        if self.code == "unit":
            values["item_key"] = same(str(values["item"]))
        if self.code == "customer":
            values["parent_key"] = same(str(values["parent"]))
            if values["parent_key"] == same(str(values["number"])):
                raise BadCell("a customer is not its own parent")
        values["key"] = self.key_of(values)
        names = (values["key"], *(values.get(n, "") for n in ("word", "item_key", "parent_key")))
        if any(len(str(name).encode()) > LONGEST_NAME for name in names):
            raise BadCell(f"{self.naming[-1]} is too long in capitals")
        return Row(values)

    def key_of(self, values: Mapping[str, Any]) -> str:
        """What names a row."""
        return JOINT.join(same(str(values[name])) for name in self.naming)

    def cells(self, row: Model | Mapping[str, Any]) -> dict[str, str]:
        """A row, or the image of one, as cells."""
        if isinstance(row, Model):
            return {c.name: c.cell(getattr(row, c.name)) for c in self.columns}
        return {c.name: c.cell(row.get(c.name)) for c in self.columns}

    def words(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """The kind of words and the source that a row of this table makes worth looking up."""
        if self.code == "mapping":
            return str(row["table"]), str(row["source"])
        return self.code, ""


def at(text: Value) -> datetime:
    """A moment's value."""
    return datetime.fromisoformat(str(text))


def _table(
    code: str, title: str, one: str, model: type[Dated], *own: Column, naming: str, about: str
) -> Table:
    return Table(code, title, one, model, own, tuple(naming.split()), about)


TABLES: Mapping[str, Table] = {
    table.code: table
    for table in (
        _table(
            "mapping",
            "Words",
            "word",
            WordMapping,
            Column("table", "Kind", str, required=True, choices=tuple(WordTable.values)),
            Column("theirs", "Theirs", str, required=True),
            Column("source", "Source", str, longest=60, about="Empty: every source."),
            Column(
                "ours",
                "Ours",
                str,
                required=True,
                about="Our number, code or name; of a status an event type: order.released.",
            ),
            naming="table source theirs",
            about="What a word of a source means here.",
        ),
        _table(
            "item",
            "Items",
            "item",
            Item,
            Column("number", "Number", str, required=True),
            Column("title", "Title", str, longest=300),
            Column("unit", "Base unit", cells.code, longest=20, default="EA"),
            Column("ean", "EAN", str, longest=20),
            Column("item_class", "Class", str, longest=60),
            Column(
                "components",
                "Components",
                cells.parts,
                cells.parts_cell,
                longest=20_000,
                default={},
                about="Of a kit: A-1: 2, B-2: 1/2.",
            ),
            naming="number",
            about="Articles, the unit they are counted in, and what kits are made of.",
        ),
        _table(
            "unit",
            "Units",
            "factor",
            UnitFactor,
            Column("item", "Item", str, about="Empty: for every item counted in that base."),
            Column("unit", "Unit", cells.code, longest=20, required=True),
            Column("base", "Base unit", cells.code, longest=20, required=True),
            Column(
                "numerator",
                "Numerator",
                cells.whole,
                required=True,
                number=True,
                longest=19,
                about="One unit is numerator/denominator of the base unit, exactly.",
            ),
            Column("denominator", "Denominator", cells.whole, default=1, number=True, longest=19),
            naming="item unit base",
            about="How many base units are in one of another unit: exact ratios.",
        ),
        _table(
            "location",
            "Places",
            "place",
            Location,
            Column("code", "Code", str, longest=100, required=True),
            Column("title", "Title", str, longest=200),
            Column("zone", "Time zone", cells.zone, longest=60, default="UTC"),
            Column("calendar", "Calendar", str, longest=50, about="The code of a work calendar."),
            naming="code",
            about="Warehouses, branches, sites of a 3PL.",
        ),
        _table(
            "customer",
            "Customers",
            "customer",
            Customer,
            Column("number", "Number", str, longest=100, required=True),
            Column("name", "Name", str),
            Column("group", "Group", str, longest=100),
            Column("parent", "Parent", str, longest=100, about="The number of the one above."),
            Column(
                "roles",
                "Roles",
                cells.roles,
                cells.roles_cell,
                default=[],
                about="sold_to ship_to bill_to",
            ),
            naming="number",
            about="Who buys, and below whom, from when.",
        ),
        _table(
            "tax",
            "Tax jurisdictions",
            "jurisdiction",
            TaxJurisdiction,
            Column("ship_to", "Ship-to", str, longest=100, required=True),
            Column("jurisdiction", "Jurisdiction", str, longest=100, required=True),
            Column("title", "Title", str, longest=200),
            naming="ship_to",
            about="Where a ship-to is taxed.",
        ),
    )
}
# Kinds of words whose meaning is the name of a row of another table.
NAMED: Mapping[str, str] = {"item": "item", "location": "location", "customer": "customer"}


def header(table: Table) -> Iterable[str]:
    """The column names of a file."""
    return (column.name for column in table.columns)
