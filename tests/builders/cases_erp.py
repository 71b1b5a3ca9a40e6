"""Cases of real use: documents of the ERP, some with orders of a partner or of the shop."""

from tests.builders.case_messages import (
    UseCase,
    erp,
    erp_id,
    erp_line,
    erp_order,
    erp_order_line,
    erp_shipment,
    from_warehouse,
    shop,
    shop_line,
    shop_order,
    to_warehouse,
    x12,
)

TO_RELEASE = "release to the warehouse, from the ERP"
TO_SHIP = "ship confirmation from the warehouse"
SIX = erp_order_line(10000, "HNG-90", 6)
SIX_IN_SHOP = shop_line(1, "HNG-90", 6, price="12.00")
CREATED = "2026-02-03T16:00:01Z"

collective_invoice = UseCase(
    "one invoice bills the shipments of two orders",
    (
        erp_order("S-52001", "03T09:00", SIX, erp_order_line(20000, "BRK-12", 2)),
        erp_order("S-52002", "03T09:00", erp_order_line(10000, "CLP-5", 40)),
        erp_shipment(
            "PS-52001",
            "S-52001",
            "04T09:00",
            erp_line(10000, "HNG-90", 6),
            erp_line(20000, "BRK-12", 2),
        ),
        erp_shipment("PS-52002", "S-52002", "04T09:00", erp_line(10000, "CLP-5", 40)),
        erp(
            "salesInvoices",
            "PI-52000",
            "05T09:00",
            orderNumber="",
            status="Open",
            invoiceDate="2026-02-05",
            totalAmountIncludingTax=576,
            salesInvoiceLines=[
                erp_line(10000, "", 0, lineType="Comment", description="Shipment PS-52001:"),
                erp_line(20000, "HNG-90", 6, shipmentId=erp_id("PS-52001")),
                erp_line(30000, "BRK-12", 2, shipmentId=erp_id("PS-52001")),
                erp_line(40000, "", 0, lineType="Comment", description="Shipment PS-52002:"),
                erp_line(50000, "CLP-5", 40, shipmentId=erp_id("PS-52002")),
            ],
        ),
    ),
    {
        "S-52001": {
            "answer": "Shipped: 2 of 2 lines shipped on Wed, Feb 4; invoiced",
            "lines": {
                "HNG-90": "shipped: 6 ordered, 6 shipped, 6 invoiced",
                "BRK-12": "shipped: 2 ordered, 2 shipped, 2 invoiced",
            },
        },
        "S-52002": {
            "answer": "Shipped: 1 of 1 line shipped on Wed, Feb 4; invoiced",
            "lines": {"CLP-5": "shipped: 40 ordered, 40 shipped, 40 invoiced"},
        },
    },
)
reopened_order = UseCase(
    "a released order is reopened",
    (
        erp_order("S-52003", "04T09:00", SIX),
        erp_order("S-52003", "05T10:00", SIX, status="Draft"),
    ),
    {
        "S-52003": {
            "answer": "Received Thu, Feb 5",
            "next_step": TO_RELEASE,
            "states": [],
            "has_stuck_alert": False,
        }
    },
)
undone_shipment = UseCase(
    "a posted shipment is undone",
    (
        erp_order("S-52004", "03T09:00", SIX),
        erp_shipment("PS-52004", "S-52004", "04T09:00", erp_line(10000, "HNG-90", 6)),
        erp_order("S-52004", "04T09:01", erp_order_line(10000, "HNG-90", 6, shipped=6)),
        erp_shipment(
            "PS-52004",
            "S-52004",
            "04T14:00",
            erp_line(10000, "HNG-90", 6),
            erp_line(20000, "HNG-90", -6),
        ),
        erp_order("S-52004", "04T14:01", SIX),
    ),
    {
        "S-52004": {
            "answer": "Released to the warehouse since Tue, Feb 3",
            "next_step": TO_SHIP,
            "states": ["released"],
            "lines": {"HNG-90": "ordered: 6 ordered"},
            "shipped_at": "",
            "shipments": 0,
            "has_stuck_alert": True,
        }
    },
)
line_of_a_posted_shipment = UseCase(
    "a line of a posted shipment arrives without its shipment",
    (
        erp(
            "salesShipmentLines",
            "",
            "04T09:00",
            **erp_line(10000, "HNG-90", 6, documentId=erp_id("PS-52005")),
        ),
    ),
    {},
    outcomes=("parked mapping: $: not a sales order, shipment, invoice or credit memo",),
)
shop_names_with_and_without_sign = UseCase(
    "the ERP names orders of the shop, whose names have a prefix or a number sign",
    (
        shop(
            "orders/create",
            shop_order(8611, "TX-8611", [SIX_IN_SHOP], updated=CREATED),
        ),
        erp_order("S-52006", "04T09:00", SIX, externalDocumentNumber="TX-8611"),
        shop("orders/create", shop_order(8612, "#8612", [SIX_IN_SHOP], updated=CREATED)),
        erp_order("S-52007", "04T09:00", SIX, externalDocumentNumber="#8612"),
    ),
    {
        number: {
            "answer": "Released to the warehouse since Wed, Feb 4",
            "sources": ["erp", "shop"],
            "lines": {"HNG-90": "ordered: 6 ordered"},
        }
        for number in ("S-52006", "S-52007")
    },
)
two_orders_of_a_customer_po = UseCase(
    "two orders have the same customer PO, and one of them is shipped",
    (
        erp_order("S-52008", "03T09:00", SIX, externalDocumentNumber="B-550"),
        erp_order(
            "S-52009",
            "04T09:00",
            erp_order_line(10000, "CLP-5", 40),
            externalDocumentNumber="B-550",
        ),
        erp_shipment(
            "PS-52008",
            "S-52008",
            "04T11:00",
            erp_line(10000, "HNG-90", 6),
            externalDocumentNumber="B-550",
        ),
    ),
    {
        "S-52008": {
            "answer": "Shipped: 1 of 1 line shipped on Wed, Feb 4",
            "lines": {"HNG-90": "shipped: 6 ordered, 6 shipped"},
            "has_stuck_alert": False,
        },
        "S-52009": {
            "answer": "Released to the warehouse since Wed, Feb 4",
            "lines": {"CLP-5": "ordered: 40 ordered"},
            "has_stuck_alert": True,
        },
    },
)
kit_in_the_erp = UseCase(
    "the ERP lists a kit, and the warehouse its components",
    (
        erp_order(
            "S-52012",
            "03T09:00",
            erp_order_line(10000, "SET-7", 2),
            erp_order_line(20000, "CLP-5", 4),
        ),
        to_warehouse(
            "940~W05*N*S-52012*P-52012~LX*1~W01*4*EA**VN*CLP-5~LX*2~W01*8*EA**VN*BLT-1"
            "~LX*3~W01*2*EA**VN*PLT-1~W76*14",
            "20260203 1000",
        ),
        from_warehouse(
            "945~W06*F*S-52012*20260204*NW-12**P-52012~W27*M*UPSN*UPS"
            "~LX*1~W12*CC*4*4**EA**VN*CLP-5~LX*2~W12*CC*8*8**EA**VN*BLT-1~W03*12*9*LB",
            "20260204 0800",
        ),
        from_warehouse(
            "945~W06*F*S-52012*20260205*NW-13**P-52012~W27*M*UPSN*UPS"
            "~LX*1~W12*CC*2*2**EA**VN*PLT-1~W03*2*3*LB",
            "20260205 0800",
        ),
        erp_shipment("PS-52012", "S-52012", "05T09:00", erp_line(20000, "CLP-5", 4)),
    ),
    {
        "S-52012": {
            "answer": "Shipped: 3 of 3 lines shipped on Thu, Feb 5",
            "shipped_at": "2026-02-04T14:00",
            "lines": {
                "CLP-5": "shipped: 4 ordered, 4 shipped",
                "SET-7": "uncountable: 2 ordered",
                "BLT-1": "shipped: 8 ordered, 8 shipped",
                "PLT-1": "shipped: 2 ordered, 2 shipped",
            },
            "lines_shipped": "3 of 3",
            "flags": {name: ["no_counterpart"] for name in ("SET-7", "BLT-1", "PLT-1")},
            "has_stuck_alert": False,
        }
    },
)
kit_shipped_in_unknown_quantity = UseCase(
    "the ERP lists a kit, and the warehouse ships components without an order of its own",
    (
        erp_order("S-52013", "03T09:00", erp_order_line(10000, "SET-7", 2)),
        from_warehouse(
            "945~W06*F*S-52013*20260204*NW-14**P-52013~W27*M*UPSN*UPS"
            "~LX*1~W12*CC*8*8**EA**VN*BLT-1~W03*8*9*LB",
            "20260204 0800",
        ),
    ),
    {
        "S-52013": {
            "answer": "Shipped in part or in full Wed, Feb 4",
            "next_step": "a mapping of the lines that do not match",
            "status": "partially_shipped",
            "lines": {"SET-7": "uncountable: 2 ordered", "BLT-1": "shipped: 8 shipped"},
            "flags": {name: ["no_counterpart"] for name in ("SET-7", "BLT-1")},
            "has_stuck_alert": False,
        }
    },
)
control_number_of_another_year = UseCase(
    "a partner starts its control numbers again a year later",
    (
        x12(
            "850~BEG*00*SA*B-551**20250204~PO1*1*6*EA*5**VN*HNG-90~CTT*1",
            "20250204 0800",
            control=9,
        ),
        erp_order(
            "S-52010",
            "04T09:00",
            SIX,
            externalDocumentNumber="B-551",
            lastModifiedDateTime="2025-02-05T09:00:00Z",
        ),
        erp_shipment(
            "PS-52010",
            "S-52010",
            "04T09:00",
            erp_line(10000, "HNG-90", 6),
            postingDate="2025-02-06",
            lastModifiedDateTime="2025-02-06T09:00:00Z",
        ),
        x12(
            "850~BEG*00*SA*B-552**20260203~PO1*1*40*EA*1**VN*CLP-5~CTT*1",
            "20260203 0800",
            control=9,
        ),
        erp_order(
            "S-52011",
            "04T09:00",
            erp_order_line(10000, "CLP-5", 40),
            externalDocumentNumber="B-552",
        ),
    ),
    {
        "S-52010": {
            "status": "shipped",
            "sources": ["edi", "erp"],
            "lines": {"HNG-90": "shipped: 6 ordered, 6 shipped"},
            "shipped_at": "2025-02-06T09:00",
            "has_stuck_alert": False,
        },
        "S-52011": {
            "status": "released",
            "sources": ["edi", "erp"],
            "lines": {"CLP-5": "ordered: 40 ordered"},
            "has_stuck_alert": True,
        },
    },
)
