"""Cases of real use: X12 warehouse orders, shipping advices and ship notices."""

from tests.builders.case_messages import (
    SELLER,
    WAREHOUSE,
    UseCase,
    from_seller,
    from_warehouse,
    to_warehouse,
    x12,
    x12_file,
    x12_text,
)

FIRST_SCAN = "first scan by the carrier"
FIRST_SCAN_UPS = "first scan by UPSN"
NORTH_DC = "N1*WH*North DC*92*N2"
NINE = "LX*1~W01*9*EA**VN*HNG-90~N9*LI*1"

short_and_closed = UseCase(
    "the warehouse ships less and closes the order",
    (
        to_warehouse(
            f"940~W05*N*S-61001*P-61001~{NORTH_DC}~G62*10*20260204~{NINE}~W76*9", "20260202 0800"
        ),
        from_warehouse(
            f"945~W06*F*S-61001*20260204*NW-1**P-61001~{NORTH_DC}~W27*M*UPSN*UPS"
            "~LX*1~W12*CP*9*7*2*EA**VN*HNG-90~N9*LI*1~W03*7*12*LB",
            "20260204 0800",
        ),
    ),
    {
        "S-61001": {
            "answer": "Shipped: 1 of 1 line shipped from North DC on Wed, Feb 4; "
            "2 cancelled (out of stock)",
            "next_step": FIRST_SCAN_UPS,
            "states": ["shipped", "short_cancelled"],
            "lines": {"HNG-90": "shipped: 9 ordered, 7 shipped, 2 cancelled"},
        }
    },
)
line_closed_by_the_warehouse = UseCase(
    "the warehouse ships one line and cancels the other",
    (
        to_warehouse(
            f"940~W05*N*S-61002*P-61002~{NORTH_DC}~{NINE}~LX*2~W01*4*EA**VN*BRK-12~N9*LI*2~W76*13",
            "20260202 0800",
        ),
        from_warehouse(
            f"945~W06*F*S-61002*20260204*NW-2**P-61002~{NORTH_DC}~W27*M*UPSN*UPS"
            "~LX*1~W12*CC*9*9**EA**VN*HNG-90~N9*LI*1"
            "~LX*2~W12*IC*4*0*4*EA**VN*BRK-12~N9*LI*2~W03*9*15*LB",
            "20260204 0800",
        ),
    ),
    {
        "S-61002": {
            "status": "shipped",
            "next_step": FIRST_SCAN_UPS,
            "lines": {
                "HNG-90": "shipped: 9 ordered, 9 shipped",
                "BRK-12": "cancelled: 4 ordered, 4 cancelled",
            },
        }
    },
)
balance_cancelled_at_the_warehouse = UseCase(
    "the balance is cancelled at the warehouse after a partial shipment",
    (
        to_warehouse(f"940~W05*N*S-61003*P-61003~{NORTH_DC}~{NINE}~W76*9", "20260202 0800"),
        from_warehouse(
            f"945~W06*F*S-61003*20260204*NW-3**P-61003~{NORTH_DC}~W27*M*UPSN*UPS"
            "~LX*1~W12*BP*9*4*5*EA**VN*HNG-90~N9*LI*1~W03*4*7*LB",
            "20260204 0800",
        ),
        to_warehouse(
            f"940~W05*F*S-61003*P-61003~{NORTH_DC}~LX*1~W01*5*EA**VN*HNG-90~N9*LI*1~W76*5",
            "20260205 0800",
        ),
    ),
    {
        "S-61003": {
            "answer": "Shipped: 1 of 1 line shipped from North DC on Wed, Feb 4; 5 cancelled",
            "next_step": FIRST_SCAN_UPS,
            "states": ["shipped"],
            "lines": {"HNG-90": "shipped: 9 ordered, 4 shipped, 5 cancelled"},
        }
    },
)
balance_cancelled_by_the_buyer = UseCase(
    "the buyer cancels the balance after a partial shipment",
    (
        x12(
            "850~BEG*00*SA*P-61004**20260202~PO1*1*9*EA*5**VN*HNG-90~CTT*1",
            "20260202 0800",
        ),
        from_seller(
            "856~BSN*00*A-61004*20260204*0900*0001~HL*1**S~TD5**2*UPSN*M*UPS~DTM*011*20260204"
            "~HL*2*1*O~PRF*P-61004~HL*3*2*I~LIN*1*VN*HNG-90~SN1*1*6*EA~CTT*3",
            "20260204 0900",
        ),
        x12("860~BCH*01*SA*P-61004**1*20260202*****20260205~CTT*0", "20260205 0800"),
    ),
    {
        "P-61004": {
            "answer": "Shipped: 1 of 1 line shipped on Wed, Feb 4; 3 cancelled",
            "next_step": FIRST_SCAN_UPS,
            "states": ["shipped"],
            "lines": {"HNG-90": "shipped: 9 ordered, 6 shipped, 3 cancelled"},
        }
    },
)
nothing_shipped = UseCase(
    "a shipping advice says that nothing was shipped",
    (
        to_warehouse(f"940~W05*N*S-61005*P-61005~{NINE}~W76*9", "20260202 0800"),
        from_warehouse(
            "945~W06*N*S-61005*20260204*NW-5~LX*1~W12*CN*9*0*9*EA**VN*HNG-90~W03*0",
            "20260204 0800",
        ),
    ),
    {
        "S-61005": {
            "answer": "Released to the warehouse since Mon, Feb 2; short on stock",
            "next_step": "ship confirmation from the warehouse",
            "states": ["released", "stock_shortage"],
            "lines": {"HNG-90": "ordered: 9 ordered"},
            "shipped_at": "",
            "shipments": 0,
        }
    },
)
two_advices_without_number = UseCase(
    "two shipping advices of one day have no shipment number",
    (
        to_warehouse(f"940~W05*N*S-61006*P-61006~{NINE}~W76*9", "20260202 0800"),
        from_warehouse(
            "945~W06*F*S-61006*20260204***P-61006~LX*1~W12*CP*9*5*4*EA**VN*HNG-90~N9*LI*1~W03*5",
            "20260204 0900",
        ),
        from_warehouse(
            "945~W06*F*S-61006*20260204***P-61006~LX*1~W12*CC*4*4*0*EA**VN*HNG-90~N9*LI*1~W03*4",
            "20260204 1600",
        ),
    ),
    {
        "S-61006": {
            "status": "shipped",
            "lines": {"HNG-90": "shipped: 9 ordered, 9 shipped"},
            "shipments": 2,
        }
    },
)
number_instead_of_qualifier = UseCase(
    "an item number is where its qualifier belongs",
    (
        from_warehouse(
            "945~W06*F*S-61007*20260204*NW-7~LX*1"
            "~W12*CC*9*9**CA**004412345678*UK*10044123456785~N9*LI*1~W03*9",
            "20260204 0800",
        ),
    ),
    {"S-61007": {"lines": {"10044123456785": "shipped: 9 shipped"}}},
    outcomes=(
        "applied: ignored: ST 945 0001 W12 CC: '004412345678' is not a qualifier of an item number",
    ),
)
header_without_terminator = UseCase(
    "the ISA of a cancelled warehouse order ends without terminator",
    (
        x12_file(
            x12_text(
                "940~W05*F*S-61008*P-61008", "20260202 0800", sender=SELLER, receiver=WAREHOUSE
            )
            .replace("*>~", "*>")
            .replace("*>GS", "*>\nGS")
            .replace("~", "~\n")
        ),
    ),
    {},
    outcomes=(
        "parked edi_envelope: ISA: the ISA does not end with '~', which ends the other segments",
    ),
)

cases_and_pieces = UseCase(
    "ordered in cases with their content, shipped in pieces",
    (
        x12(
            "850~BEG*00*SA*P-61009**20260202~PO1*1*3*CA*40**VN*CLP-5~PO4*25*1*EA~CTT*1",
            "20260202 0800",
        ),
        from_seller(
            "856~BSN*00*A-61009*20260204*0900*0001~HL*1**S~TD5**2*UPSN*M*UPS~DTM*011*20260204"
            "~HL*2*1*O~PRF*P-61009~HL*3*2*I~LIN*1*VN*CLP-5~SN1*1*75*EA~CTT*3",
            "20260204 0900",
        ),
    ),
    {
        "P-61009": {
            "answer": "Shipped: 1 of 1 line shipped on Wed, Feb 4",
            "next_step": FIRST_SCAN_UPS,
            "lines": {"CLP-5": "shipped: 3 ordered, 3 shipped"},
            "flags": {},
        }
    },
)
level_without_parent = UseCase(
    "a level of a ship notice names a parent that does not exist",
    (
        from_seller(
            "856~BSN*00*A-61010*20260204*0700~HL*1**S~HL*2*1*O~PRF*P-61010"
            "~HL*3*7*I~LIN*1*VN*HNG-90~SN1*1*9*EA~CTT*3*9",
            "20260204 0800",
        ),
    ),
    {},
    outcomes=("parked edi_envelope: ST 856 0001 HL 3: the parent level 7 does not exist",),
)
packs_below_an_item = UseCase(
    "a ship notice has the packs below their item",
    (
        from_seller(
            "856~BSN*00*A-61011*20260204*0700*0002~HL*1**S~HL*2*1*O~PRF*P-61011"
            "~HL*3*2*I~LIN*1*VN*HNG-90~SN1*1*9*EA"
            "~HL*4*3*P~SN1**5*EA~MAN*GM*000440000000000015"
            "~HL*5*3*P~SN1**4*EA~MAN*GM*000440000000000022~CTT*5*9",
            "20260204 0800",
        ),
    ),
    {"P-61011": {"lines": {"HNG-90": "shipped: 9 shipped"}, "packages": 2}},
)
date_in_the_heading = UseCase(
    "the heading of a ship notice has the time of the shipment",
    (
        from_seller(
            "856~BSN*00*A-61012*20260202*0700~DTM*011*20260204*1640*ET~HL*1**S~HL*2*1*O"
            "~PRF*P-61012~HL*3*2*I~LIN*1*VN*HNG-90~SN1*1*9*EA~CTT*3*9",
            "20260202 0800",
        ),
    ),
    {"P-61012": {"shipped_at": "2026-02-04T21:40", "next_step": FIRST_SCAN}},
)
two_suppliers = UseCase(
    "two suppliers use the same shipment number",
    tuple(
        x12(
            f"856~BSN*00*2207*20260204*0700~HL*1**S~HL*2*1*O~PRF*{order}~HL*3*2*I"
            f"~LIN*1*VN*{sku}~SN1*1*9*EA~CTT*3*9",
            "20260202 0800",
            source="suppliers",
            sender=sender,
        )
        for sender, order, sku in (
            ("FORGEONE", "B-61013", "FORGED-1"),
            ("FORGETWO", "B-61014", "FORGED-2"),
        )
    ),
    {
        "B-61013": {"lines": {"FORGED-1": "shipped: 9 shipped"}, "shipments": 1},
        "B-61014": {"lines": {"FORGED-2": "shipped: 9 shipped"}, "shipments": 1},
    },
)
