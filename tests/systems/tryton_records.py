"""Makes sales, shipments, invoices and a return in Tryton through its API, in its own environment.

`tryton_records.py URL` prints Tryton's own records of them as one JSON document. proteus and
trytond are installed only in the environment that `tryton.py` makes.
"""

# mypy: ignore-errors

import json
import sys
from decimal import Decimal

from proteus import Model, Wizard
from proteus import config as proteus_config
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
from trytond.modules.account_invoice.tests.tools import (
    create_payment_term,
    set_fiscalyear_invoice_sequences,
)
from trytond.modules.company.tests.tools import create_company

TRACKING = ("1Z999AA10123456784", "1Z999AA10123456793", "449044304137821")


class Shop:
    """A company with two items in stock, a carrier and a customer."""

    def __init__(self):
        create_company()
        create_chart()
        fiscalyear = set_fiscalyear_invoice_sequences(create_fiscalyear())
        fiscalyear.save()
        fiscalyear.click("create_period")
        accounts = get_accounts()
        self.category = Model.get("product.category")(name="Goods", accounting=True)
        self.category.account_expense = accounts["expense"]
        self.category.account_revenue = accounts["revenue"]
        self.category.save()
        self.valve = self.product("VLV-20", "4.25", "goods")
        self.hose = self.product("HOSE-3M", "12.50", "goods")
        (storage,) = Model.get("stock.location").find([("code", "=", "STO")])
        inventory = Model.get("stock.inventory")(location=storage)
        for product in (self.valve, self.hose):
            inventory.lines.new(product=product, quantity=100.0, expected_quantity=0.0)
        inventory.click("confirm")
        self.customer = self.party("Harbor Supply")
        freight = self.product("FREIGHT", "5.00", "service")
        self.carrier = Model.get("carrier")(party=self.party("UPS"), carrier_product=freight)
        self.carrier.save()
        self.box = Model.get("stock.package.type")(name="Box")
        self.box.save()
        self.term = create_payment_term()
        self.term.save()
        (journal,) = Model.get("account.journal").find([("type", "=", "cash")])
        self.payment = Model.get("account.invoice.payment.method")(name="Cash", journal=journal)
        self.payment.credit_account = self.payment.debit_account = accounts["cash"]
        self.payment.save()

    def party(self, name):
        party = Model.get("party.party")(name=name)
        party.save()
        return party

    def product(self, code, price, kind):
        (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
        template = Model.get("product.template")(name=f"Item {code}", code=code, type=kind)
        template.default_uom = unit
        template.salable = True
        template.list_price = Decimal(price)
        template.account_category = self.category
        template.save()
        return template.products[0]

    def sell(self, reference, *lines):
        sale = Model.get("sale.sale")(party=self.customer, payment_term=self.term)
        sale.reference = reference
        sale.invoice_method = "fulfillment"
        for product, quantity in lines:
            line = sale.lines.new()
            line.product = product
            line.quantity = quantity
        sale.click("quote")
        sale.click("confirm")
        sale.reload()
        return sale

    def ship(self, shipment, quantities, tracking):
        """Pick these quantities, pack each item in a box of its own, and ship."""
        shipment.carrier = self.carrier
        shipment.save()
        for move in shipment.inventory_moves:
            move.quantity = quantities[move.product.code]
            move.save()
        shipment.reload()
        shipment.click("assign_try")
        shipment.click("pick")
        for move, number in zip(shipment.outgoing_moves, tracking, strict=False):
            package = shipment.packages.new(type=self.box, shipping_reference=number)
            package.moves.append(Model.get("stock.move")(move.id))
        shipment.save()
        shipment.click("pack")
        shipment.click("do")

    def pay(self, invoice):
        invoice.click("post")
        pay = invoice.click("pay")
        pay.form.payment_method = self.payment
        pay.execute("choice")
        invoice.reload()


def make_orders():
    """One order shipped in two shipments, invoiced twice and returned; and one cancelled."""
    shop = Shop()
    sale = shop.sell("PO-5521", (shop.valve, 10.0), (shop.hose, 6.0))
    shop.ship(sale.shipments[0], {"VLV-20": 4.0, "HOSE-3M": 6.0}, TRACKING[:2])
    sale.reload()
    shop.pay(sale.invoices[0])
    second_shipment = next(shipment for shipment in sale.shipments if shipment.state != "done")
    shop.ship(second_shipment, {"VLV-20": 6.0}, TRACKING[2:])
    sale.reload()
    second = next(invoice for invoice in sale.invoices if invoice.state == "draft")
    second.click("post")
    wizard = Wizard("sale.return_sale", [sale])
    wizard.execute("return_")
    (returned,) = Model.get("sale.sale").find([("origin", "=", f"sale.sale,{sale.id}")])
    for line in list(returned.lines):
        if line.product.code == "HOSE-3M":
            returned.lines.remove(line)
        else:
            line.quantity = -3.0
    returned.save()
    returned.click("quote")
    returned.click("confirm")
    returned.reload()
    returned.shipment_returns[0].click("receive")
    returned.reload()
    returned.invoices[0].click("post")
    cancelled = Model.get("sale.sale")(party=shop.customer, payment_term=shop.term)
    line = cancelled.lines.new()
    line.product, line.quantity = shop.hose, 1.0
    cancelled.click("quote")
    cancelled.click("cancel")


def own_records():
    """What Tryton says about its documents, for comparison."""
    return {
        "sales": [
            {
                "number": sale.number,
                "reference": sale.reference,
                "state": sale.state,
                "shipment_state": sale.shipment_state,
                "ordered": {line.product.code: line.quantity for line in sale.lines},
                "total": str(sale.total_amount),
            }
            for sale in Model.get("sale.sale").find([])
        ],
        "shipments": [
            {
                "number": shipment.number,
                "state": shipment.state,
                "sale": shipment.outgoing_moves[0].origin.sale.number,
                "shipped": {m.product.code: m.quantity for m in shipment.outgoing_moves},
                "tracking": {
                    package.shipping_reference: package.moves[0].product.code
                    for package in shipment.packages
                },
                "date": shipment.effective_date.isoformat(),
            }
            for shipment in Model.get("stock.shipment.out").find([])
        ],
        "returns": [
            {
                "state": shipment.state,
                "sale": shipment.incoming_moves[0].origin.sale.number,
                "returned": {m.product.code: m.quantity for m in shipment.incoming_moves},
            }
            for shipment in Model.get("stock.shipment.out.return").find([])
        ],
        "invoices": [
            {
                "number": invoice.number,
                "state": invoice.state,
                "lines": {line.product.code: line.quantity for line in invoice.lines},
                "total": str(invoice.total_amount),
            }
            for invoice in Model.get("account.invoice").find([("type", "=", "out")])
        ],
    }


if __name__ == "__main__":
    proteus_config.set_xmlrpc(sys.argv[1])
    make_orders()
    sys.stdout.write(json.dumps(own_records()))
