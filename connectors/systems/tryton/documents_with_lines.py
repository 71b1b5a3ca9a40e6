"""Reads changed sales, shipments, returns and invoices of Tryton, each with its lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from connectors.sdk.changed_rows_polling import ChangedRow, ChangeRange, record_with_content_key
from connectors.sdk.webhook_and_poll_types import PollError
from connectors.systems.tryton.client import TrytonClient, json_time

SALES, INVOICES = "sale.sale", "account.invoice"
SHIPMENTS, RETURNS = "stock.shipment.out", "stock.shipment.out.return"
MODELS = (SALES, SHIPMENTS, RETURNS, INVOICES)
# The time of change is empty until the first change, so new documents are a stream of their own.
NEW, CHANGED = "new", "changed"
STREAMS = tuple(f"{model} {kind}" for model in MODELS for kind in (NEW, CHANGED))
MOVE_FIELDS = ("quantity", "unit.symbol", "product.code", "state", "origin")
# Each user may read the log of the documents that it may read (trytond 8.0: ir/model.xml).
LOG = "ir.model.log"


@dataclass(frozen=True, slots=True)
class TrytonDocumentModel:
    """A model to poll: its fields, the name of its lines, which documents."""

    fields: tuple[str, ...]
    lines: str
    line_fields: tuple[str, ...]
    domain: tuple[Any, ...] = ()


@dataclass(slots=True)
class TrytonDocumentReader:
    """Reads documents of one poll. What the activated modules do not have is not asked for."""

    client: TrytonClient
    page_size: int
    # Fields of sales that modules of the company add.
    own_sale_fields: tuple[str, ...] = ()

    models: ClassVar[Mapping[str, TrytonDocumentModel]] = {
        SALES: TrytonDocumentModel(
            (
                *("number", "reference", "state", "shipment_state", "sale_date", "origin"),
                *("shipping_date", "total_amount", "currency.code", "party.code"),
                *("party.rec_name", "warehouse.code"),
            ),
            "lines",
            (
                *("type", "quantity", "unit.symbol", "unit_price", "description"),
                *("product.code", "product.type", "moves.quantity", "moves.state"),
                *("invoice_lines.quantity", "invoice_lines.invoice.state"),
            ),
        ),
        SHIPMENTS: TrytonDocumentModel(
            (
                *("number", "reference", "state", "effective_date", "planned_date"),
                *("warehouse.code", "shipping_reference", "carrier.party.rec_name"),
                *("packages.number", "packages.shipping_reference", "packages.moves"),
            ),
            "outgoing_moves",
            MOVE_FIELDS,
        ),
        RETURNS: TrytonDocumentModel(
            ("number", "reference", "state", "effective_date"), "incoming_moves", MOVE_FIELDS
        ),
        INVOICES: TrytonDocumentModel(
            (
                *("number", "reference", "state", "type", "invoice_date", "reconciled"),
                *("total_amount", "currency.code", "party.code", "party.rec_name"),
            ),
            "lines",
            ("type", "quantity", "unit.symbol", "unit_price", "product.code", "origin"),
            (["type", "=", "out"],),
        ),
    }

    def read(self, stream: str, wanted: ChangeRange) -> list[ChangedRow]:
        """Return a page of documents in this range. Raises PollError."""
        model, kind = stream.split(" ")
        rule, time_field = self.models[model], "create_date" if kind == NEW else "write_date"
        domain: list[Any] = [*rule.domain, ["write_date", "=" if kind == NEW else "!=", None]]
        if wanted.start:
            domain.append([time_field, ">=", json_time(wanted.start)])
        if wanted.end:
            domain.append([time_field, "<", json_time(wanted.end)])
        if wanted.after_id is not None:
            domain.append(["id", ">", int(wanted.after_id or 0)])
        own_fields = self.own_sale_fields if model == SALES else ()
        by_time = [[time_field, "ASC"], ["id", "ASC"]]
        rows = self.client.search_read(
            model,
            domain,
            [
                *("create_date", "write_date"),
                *self.client.known_fields(model, (*rule.fields, *own_fields)),
                *(f"{rule.lines}.{name}" for name in rule.line_fields),
            ],
            order=by_time if wanted.after_id is None else [["id", "ASC"]],
            limit=self.page_size,
        )
        self._add_origins(model, rule, rows)
        self._add_state_times(model, rows)
        return [_changed_row(model, row, time_field) for row in rows]

    def _add_origins(
        self, model: str, rule: TrytonDocumentModel, rows: Sequence[dict[str, Any]]
    ) -> None:
        """Add to each line the line of a sale that it is about, and the invoice it credits."""
        lines = [line for row in rows for line in row.get(f"{rule.lines}.") or []]
        credited = self._read_by_id(
            "account.invoice.line",
            ["origin", "invoice.number"],
            _ids_of_origins(lines, "account.invoice.line"),
        )
        sale_lines = self._read_by_id(
            "sale.line",
            ["sale.number", "sale.origin"],
            _ids_of_origins([*lines, *credited.values()], "sale.line"),
        )
        sales = [line["sale."] for line in sale_lines.values() if line.get("sale.")]
        returned = self._read_by_id(
            SALES,
            ["number"],
            _ids_of_origins([*sales, *(rows if model == SALES else [])], SALES),
        )
        for sale in [*sales, *(rows if model == SALES else [])]:
            if (number := _id_of_origin(sale, SALES)) in returned:
                sale["returned_sale"] = returned[number]
        for line in lines:
            invoice_line = credited.get(_id_of_origin(line, "account.invoice.line"))
            if invoice_line:
                line["credited_invoice"] = invoice_line.get("invoice.")
            sale_line = sale_lines.get(_id_of_origin(invoice_line or line, "sale.line"))
            if sale_line:
                line["sale_line"] = sale_line

    def _add_state_times(self, model: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add to each document when it reached its states, by the log of its transitions.

        A document that was reset to draft reaches its states again.
        """
        resources = {f"{model},{row['id']}" for row in rows if row.get("id")}
        if not resources:
            return
        entries = self.client.search_read(
            LOG,
            [["resource", "in", sorted(resources)], ["event", "=", "transition"]],
            ["create_date", "target", "resource"],
            order=(("create_date", "ASC"), ("id", "ASC")),
        )
        times: dict[str, dict[str, Any]] = {}
        for entry in entries:
            field, _, state = str(entry.get("target")).partition(":")
            if field != "state":
                continue
            reached = times.setdefault(str(entry.get("resource")), {})
            if state == "draft":
                reached.clear()
            reached.setdefault(state, entry.get("create_date"))
        for row in rows:
            if reached := times.get(f"{model},{row.get('id')}", {}):
                row["_states"] = reached

    def _read_by_id(
        self, model: str, fields: Sequence[str], ids: Sequence[int]
    ) -> dict[int, dict[str, Any]]:
        if not ids:
            return {}
        rows = self.client.search_read(model, [["id", "in", list(ids)]], fields)
        return {int(row["id"]): row for row in rows}


def _id_of_origin(row: Mapping[str, Any], model: str) -> int:
    """Return the id in an origin such as `sale.line,12` of this model; 0 if it is another one."""
    name, _, number = str(row.get("origin") or "").partition(",")
    return int(number) if name == model and number.isdecimal() else 0


def _ids_of_origins(rows: Sequence[Mapping[str, Any]], model: str) -> list[int]:
    return sorted({number for row in rows if (number := _id_of_origin(row, model))})


def _changed_row(model: str, row: Mapping[str, Any], time_field: str) -> ChangedRow:
    try:
        number = str(row["id"])
        at = datetime.fromisoformat(row[time_field]).replace(tzinfo=None)
    except (KeyError, TypeError, ValueError):
        raise PollError(f"a record of {model} has no id or {time_field}") from None
    document = {"_model": model, **dict(_without_blanks(row))}
    return ChangedRow(number, at, record_with_content_key(model, number, document))


def _without_blanks(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Leave out empty fields, and the ids beside the records that were read for them."""
    for name, value in row.items():
        if value is not None and f"{name}." not in row:
            yield name, value
