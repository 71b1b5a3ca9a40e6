"""Reads changed orders, transfers and invoices of Odoo, each with its lines, as one document."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from connectors.sdk.changed_rows_polling import (
    ChangedRow,
    ChangeRange,
    record_with_content_key,
)
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import PollError
from connectors.systems.odoo.client import OdooClient
from connectors.systems.odoo.field_values import related_id

ORDERS, TRANSFERS, INVOICES = "sale.order", "stock.picking", "account.move"
MODELS = (ORDERS, TRANSFERS, INVOICES)


@dataclass(frozen=True, slots=True)
class OdooDocumentModel:
    """A model to poll: its fields, which documents, and the model of its lines."""

    fields: tuple[str, ...]
    domain: tuple[Any, ...]
    line_model: str
    line_parent: str
    line_fields: tuple[str, ...]


@dataclass(slots=True)
class OdooDocumentReader:
    """Reads documents of one poll. What a version of Odoo does not have is not asked for."""

    client: OdooClient
    page_size: int
    _fields: dict[str, list[str]] = field(default_factory=dict)

    models: ClassVar[Mapping[str, OdooDocumentModel]] = {
        ORDERS: OdooDocumentModel(
            (
                *("name", "client_order_ref", "partner_id", "state", "delivery_status"),
                *("write_date", "date_order", "commitment_date", "currency_id", "amount_total"),
                *("warehouse_id", "origin"),
            ),
            (),
            "sale.order.line",
            "order_id",
            (
                *("product_id", "name", "product_uom_qty", "product_uom", "product_uom_id"),
                *("price_unit", "display_type", "product_type"),
            ),
        ),
        TRANSFERS: OdooDocumentModel(
            (
                *("name", "origin", "sale_id", "state", "picking_type_code", "date_done"),
                *("scheduled_date", "carrier_tracking_ref", "carrier_id", "backorder_id"),
                *("return_id", "write_date", "create_date"),
            ),
            (("picking_type_code", "in", ["outgoing", "incoming"]),),
            "stock.move",
            "picking_id",
            (
                *("product_id", "product_uom_qty", "quantity", "quantity_done"),
                *("reserved_availability", "product_uom", "sale_line_id", "state"),
            ),
        ),
        INVOICES: OdooDocumentModel(
            (
                *("name", "move_type", "state", "payment_state", "invoice_origin", "ref"),
                *("invoice_date", "reversed_entry_id", "amount_total", "currency_id"),
                *("partner_id", "posted_before", "write_date"),
            ),
            (("move_type", "in", ["out_invoice", "out_refund"]),),
            "account.move.line",
            "move_id",
            (
                *("product_id", "name", "quantity", "product_uom_id", "price_unit"),
                *("display_type", "sale_line_ids"),
            ),
        ),
    }

    def read(self, model: str, wanted: ChangeRange) -> list[ChangedRow]:
        """Return a page of documents in this range. Raises PollError."""
        kind = self.models[model]
        domain: list[Any] = list(kind.domain)
        if wanted.start:
            domain.append(("write_date", ">=", str(wanted.start)))
        if wanted.end:
            domain.append(("write_date", "<", str(wanted.end)))
        if wanted.after_id is not None:
            domain.append(("id", ">", int(wanted.after_id or 0)))
        nodes = self.client.search_read(
            model,
            domain,
            self._known_fields(model, kind.fields),
            order="write_date, id" if wanted.after_id is None else "id",
            limit=self.page_size,
        )
        try:
            lines = self._lines_by_document(
                model, kind, [node.required_text("id") for node in nodes]
            )
            return [_changed_row(model, node, lines) for node in nodes]
        except PayloadError as error:
            raise PollError(f"the records of {model} are invalid ({error})") from None

    def _known_fields(self, model: str, wanted: Sequence[str]) -> list[str]:
        if model not in self._fields:
            self._fields[model] = self.client.known_fields(model, wanted)
        return self._fields[model]

    def _lines_by_document(
        self, model: str, kind: OdooDocumentModel, ids: Sequence[str]
    ) -> dict[str, list[Any]]:
        if not ids:
            return {}
        fields = [kind.line_parent, *kind.line_fields]
        nodes = self.client.search_read(
            kind.line_model,
            [(kind.line_parent, "in", [int(text) for text in ids])],
            self._known_fields(kind.line_model, fields),
        )
        codes = self._item_codes(node.get("product_id") for node in nodes)
        sale_lines = {} if model == ORDERS else self._sale_lines(nodes)
        lines: dict[str, list[Any]] = {}
        for node in nodes:
            own = dict(node.value)
            own["default_code"] = codes.get(related_id(node.get("product_id")), False)
            linked = [sale_lines[i] for i in _sale_line_ids(node) if i in sale_lines]
            if linked:
                own["sale_lines"] = linked
            lines.setdefault(related_id(node.get(kind.line_parent)), []).append(own)
        return lines

    def _item_codes(self, products: Iterable[Node]) -> dict[str, Any]:
        ids = sorted({int(text) for node in products if (text := related_id(node))})
        if not ids:
            return {}
        domain = [("id", "in", ids), ("active", "in", [True, False])]
        nodes = self.client.search_read("product.product", domain, ["default_code"])
        return {node.required_text("id"): node.value.get("default_code") for node in nodes}

    def _sale_lines(self, lines: Sequence[Node]) -> dict[str, Any]:
        """Return the order and the product of each line of an order that lines refer to."""
        ids = sorted({int(text) for line in lines for text in _sale_line_ids(line)})
        if not ids:
            return {}
        fields = ["order_id", "product_id"]
        nodes = self.client.search_read("sale.order.line", [("id", "in", ids)], fields)
        return {node.required_text("id"): node.value for node in nodes}


def _sale_line_ids(line: Node) -> list[str]:
    """The lines of orders that a move or a line of an invoice belongs to."""
    many = line.get("sale_line_ids")
    ids = [node.as_text() for node in many.as_list()] if isinstance(many.value, list) else []
    return ids or [text for text in [related_id(line.get("sale_line_id"))] if text]


def _changed_row(model: str, node: Node, lines: Mapping[str, list[Any]]) -> ChangedRow:
    number = node.required_text("id")
    changed_at = node.required_text("write_date")
    document = {"_model": model, **node.value, "lines": lines.get(number, [])}
    try:
        at = datetime.fromisoformat(changed_at)
    except ValueError:
        raise PollError(f"write_date {changed_at[:40]!r} is not a date and time") from None
    return ChangedRow(number, at, record_with_content_key(model, number, document))
