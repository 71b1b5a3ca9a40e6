"""Cases of real use: X12 purchase orders, their changes and envelopes."""

from tests.builders.case_messages import SELLER, UseCase, from_seller, x12, x12_file, x12_text

TO_RELEASE = "release to the warehouse, from the ERP"
TWO_LINES = "PO1*1*24*EA*2.5**VN*HNG-90~PO1*2*6*BX*11**VN*BRK-12~CTT*2"
SINGLE_LINE = "PO1*1*24*EA*2.5**VN*HNG-90~CTT*1"
TWENTY_FOUR = {"HNG-90": "ordered: 24 ordered"}

replacement = UseCase(
    "a replacing order of a later day omits a line",
    (
        x12(f"850~BEG*00*SA*71001**20260202~{TWO_LINES}", "20260202 0800"),
        x12(f"850~BEG*05*SA*71001**20260203~{SINGLE_LINE}", "20260203 0800"),
    ),
    {
        "71001": {
            "answer": "Received Mon, Feb 2",
            "next_step": TO_RELEASE,
            "lines": {**TWENTY_FOUR, "BRK-12": "cancelled"},
        }
    },
)
replacement_with_the_date_of_the_order = UseCase(
    "a replacing order with the date of the replaced one omits a line and reduces another",
    (
        x12(f"850~BEG*00*SA*71002**20260202~{TWO_LINES}", "20260202 0800"),
        x12(
            "850~BEG*05*SA*71002**20260202~PO1*1*9*EA*2.5**VN*HNG-90~CTT*1",
            "20260204 1100",
        ),
    ),
    {"71002": {"lines": {"HNG-90": "ordered: 9 ordered", "BRK-12": "cancelled"}}},
)
change_without_its_date = UseCase(
    "an order change has only the date of the order",
    (
        x12(f"850~BEG*00*SA*71003**20260202~{TWO_LINES}", "20260202 0800"),
        x12(
            "860~BCH*04*SA*71003**2*20260202~POC*1*QD*18*18*EA*2.5**VN*HNG-90"
            "~POC*2*DI*6**BX*11**VN*BRK-12~CTT*2",
            "20260203 0800",
        ),
    ),
    {"71003": {"lines": {"HNG-90": "ordered: 18 ordered", "BRK-12": "cancelled"}}},
)
change_without_date_and_sequence = UseCase(
    "an order change has neither a sequence nor a date of its own",
    (
        x12(f"850~BEG*00*SA*71004**20260202~{TWO_LINES}", "20260202 0800"),
        x12(
            "860~BCH*04*SA*71004***20260202~POC*1*QD*7*7*EA*2.5**VN*HNG-90"
            "~POC*2*DI*0*0*BX*11**VN*BRK-12~CTT*2",
            "20260205 0800",
        ),
    ),
    {"71004": {"lines": {"HNG-90": "ordered: 7 ordered", "BRK-12": "cancelled"}}},
)
cancelling_change_without_its_date = UseCase(
    "a cancelling order change has only the date of the order",
    (
        x12(f"850~BEG*00*SA*71005**20260202~{SINGLE_LINE}", "20260202 0800"),
        x12("860~BCH*01*SA*71005**3*20260202~CTT*0", "20260204 0800"),
    ),
    {"71005": {"status": "cancelled", "answer": "Cancelled Wed, Feb 4", "next_step": ""}},
)
cancelling_order_with_the_date_of_the_order = UseCase(
    "a cancelling purchase order has the date of the cancelled one",
    (
        x12(f"850~BEG*00*SA*71006**20260202~{SINGLE_LINE}", "20260202 0800"),
        x12(f"850~BEG*01*SA*71006**20260202~{SINGLE_LINE}", "20260206 0800"),
    ),
    {"71006": {"status": "cancelled", "answer": "Cancelled Fri, Feb 6", "next_step": ""}},
)
two_changes_without_sequence = UseCase(
    "two order changes have no sequence and different lines",
    (
        x12(f"850~BEG*00*SA*71007**20260202~{TWO_LINES}", "20260202 0800"),
        x12(
            "860~BCH*04*SA*71007***20260202*****20260203~POC*1*QD*20*20*EA*2.5**VN*HNG-90~CTT*1",
            "20260203 0800",
        ),
        x12(
            "860~BCH*04*SA*71007***20260202*****20260205~POC*2*QD*4*4*BX*11**VN*BRK-12~CTT*1",
            "20260205 0800",
        ),
    ),
    {"71007": {"lines": {"HNG-90": "ordered: 20 ordered", "BRK-12": "ordered: 4 ordered"}}},
)
dates_of_lines = UseCase(
    "only the lines of a purchase order have dates",
    (
        x12(
            "850~BEG*00*SA*71008**20260202~PO1*1*24*EA*2.5**VN*HNG-90~DTM*002*20260212"
            "~PO1*2*6*BX*11**VN*BRK-12~DTM*002*20260218~CTT*2",
            "20260202 0800",
        ),
    ),
    {"71008": {"requested_at": "2026-02-18", "promises": {"HNG-90": "2026-02-12"}}},
)
releases_of_a_blanket_order = UseCase(
    "two releases of a blanket order",
    (
        x12(f"850~BEG*00*RL*71009*R31*20260202~{SINGLE_LINE}", "20260202 0800"),
        x12(
            "850~BEG*00*RL*71009*R32*20260203~PO1*1*15*EA*2.5**VN*HNG-90~CTT*1",
            "20260203 0800",
        ),
    ),
    {
        "71009/R31": {"lines": TWENTY_FOUR},
        "71009/R32": {"lines": {"HNG-90": "ordered: 15 ordered"}},
    },
)
amounts_in_lines = UseCase(
    "each line of a purchase order has an amount",
    (
        x12(
            "850~BEG*00*SA*71010**20260202~PO1*1*24*EA*2.5**VN*HNG-90~AMT*1*60"
            "~PO1*2*6*BX*11**VN*BRK-12~AMT*1*66~CTT*2",
            "20260202 0800",
        ),
    ),
    {"71010": {"lines": {**TWENTY_FOUR, "BRK-12": "ordered: 6 ordered"}}},
)
segment_without_terminator = UseCase(
    "a line of a purchase order ends without terminator",
    (
        x12_file(
            x12_text(
                "850~BEG*00*SA*71011**20260202~PO1*1*24*EA*2.5**VN*HNG-90"
                "~PO1*2*6*BX*11**VN*BRK-12~PO1*3*80*EA*.4**VN*CLP-5~CTT*3",
                "20260202 0800",
            )
            .replace("~", "~\n")
            .replace("HNG-90~", "HNG-90")
        ),
    ),
    {
        "71011": {
            "lines": {
                **TWENTY_FOUR,
                "BRK-12": "ordered: 6 ordered",
                "CLP-5": "ordered: 80 ordered",
            }
        }
    },
)
control_number_of_another_day = UseCase(
    "a partner uses a control number again the next day",
    (
        x12(
            "850~BEG*00*SA*71012**20260202~PO1*1*8*EA*1**VN*HNG-90~CTT*1",
            "20260202 0800",
            sender="PINESHOP",
            control=501,
        ),
        x12(
            "850~BEG*00*SA*71013**20260203~PO1*1*3*EA*1**VN*CLP-5~CTT*1",
            "20260203 0930",
            sender="PINESHOP",
            control=501,
        ),
    ),
    {
        "71012": {"lines": {"HNG-90": "ordered: 8 ordered"}},
        "71013": {"lines": {"CLP-5": "ordered: 3 ordered"}},
    },
)
line_end_as_terminator = UseCase(
    "line ends end the segments, and a TA1 follows the ISA",
    (
        x12_file(
            x12_text(f"850~BEG*00*SA*71014**20260202~{SINGLE_LINE}", "20260202 0800")
            .replace("*>~", "*>~TA1*000000402*260201*1700*A*000~")
            .replace("~", "\n")
        ),
    ),
    {"71014": {"lines": TWENTY_FOUR}},
    outcomes=("applied: ignored: TA1 of interchange 000000402: accepted",),
)
rejected_document = UseCase(
    "a 997 rejects an order",
    (
        x12(f"850~BEG*00*SA*71015**20260202~{SINGLE_LINE}", "20260202 0800"),
        from_seller("997~AK1*PO*7~AK2*850*0001~AK5*R*5~AK9*R*1*1*0", "20260202 0810"),
    ),
    {"71015": {"answer": "Received Mon, Feb 2"}},
    outcomes=(
        "applied",
        f"parked document_rejected: ST 997 0001 AK5: {SELLER} rejected set 850 0001 of group PO 7: "
        "segments in error",
    ),
)
