"""Cases of real use: X12 purchase order acknowledgments and invoices."""

from tests.builders.case_messages import UseCase, from_seller, x12

TWO_LINES = "PO1*1*24*EA*2.5**VN*HNG-90~PO1*2*6*BX*11**VN*BRK-12~CTT*2"
SINGLE_LINE = "PO1*1*24*EA*2.5**VN*HNG-90~CTT*1"

dates_of_schedules = UseCase(
    "the schedule of an acknowledged line has the dates",
    (
        from_seller(
            "855~BAK*00*AC*71016*20260202*****20260203~PO1*1*24*EA*2.5**VN*HNG-90"
            "~SCH*14*EA***067*20260211~SCH*10*EA***067*20260219~CTT*1",
            "20260203 0800",
        ),
    ),
    {"71016": {"status": "accepted", "promised_at": "2026-02-19"}},
)
back_order_taken_back = UseCase(
    "a later acknowledgment accepts what an earlier one put on back order",
    (
        x12(f"850~BEG*00*SA*71017**20260202~{SINGLE_LINE}", "20260202 0800"),
        from_seller(
            "855~BAK*00*AC*71017*20260202*****20260203~PO1*1*24*EA*2.5**VN*HNG-90"
            "~ACK*IB*24*EA~CTT*1",
            "20260203 0800",
        ),
        from_seller(
            "855~BAK*00*AT*71017*20260202*****20260205~PO1*1*24*EA*2.5**VN*HNG-90"
            "~ACK*IA*24*EA*067*20260213~CTT*1",
            "20260205 0800",
        ),
    ),
    {
        "71017": {
            "status": "accepted",
            "states": [],
            "promised_at": "2026-02-13",
            "lines": {"HNG-90": "ordered: 24 ordered"},
        }
    },
)
rejected_line = UseCase(
    "an acknowledgment rejects a line because of its item number",
    (
        x12(f"850~BEG*00*SA*71018**20260202~{TWO_LINES}", "20260202 0800"),
        from_seller(
            "855~BAK*00*AC*71018*20260202*****20260203~PO1*1*24*EA*2.5**VN*HNG-90~ACK*R2"
            "~PO1*2*6*BX*11**VN*BRK-12~ACK*IA*6*BX~CTT*2",
            "20260203 0800",
        ),
    ),
    {
        "71018": {
            "answer": "Accepted Tue, Feb 3; 24 cancelled by the seller",
            "lines": {
                "HNG-90": "cancelled: 24 ordered, 24 cancelled",
                "BRK-12": "ordered: 6 ordered",
            },
        }
    },
)
count_of_no_lines = UseCase(
    "an acknowledgment without lines counts none",
    (from_seller("855~BAK*00*AT*71019*20260202*****20260203~CTT*0", "20260203 0800"),),
    {"71019": {"status": "accepted", "lines": {}, "event_flags": ["zone_assumed"]}},
)

total_with_a_point = UseCase(
    "the total of an invoice has a decimal point",
    (
        x12(
            "850~BEG*00*SA*71020**20260202~PO1*1*7*EA*12.35**VN*HNG-90~CTT*1",
            "20260202 0800",
        ),
        from_seller(
            "810~BIG*20260204*I-9020*20260202*71020***DI~IT1*1*7*EA*12.35**VN*HNG-90"
            "~TDS*86.45~CTT*1",
            "20260204 0800",
        ),
    ),
    {
        "71020": {
            "states": ["invoiced"],
            "total": "86.45",
            "lines": {"HNG-90": "ordered: 7 ordered, 7 invoiced"},
        }
    },
)
order_number_in_the_line = UseCase(
    "only the line of an invoice names the order",
    (
        x12(f"850~BEG*00*SA*71021**20260202~{SINGLE_LINE}", "20260202 0800"),
        from_seller(
            "810~BIG*20260205*I-9021*****DI~IT1**24*EA*2.5**VN*HNG-90*PO*71021~TDS*6000~CTT*1",
            "20260205 0800",
        ),
    ),
    {
        "71021": {
            "answer": "Received Mon, Feb 2; invoiced",
            "total": "60",
            "lines": {"HNG-90": "ordered: 24 ordered, 24 invoiced"},
        }
    },
)
line_given_back = UseCase(
    "one line of an invoice gives something back",
    (
        from_seller(
            "810~BIG*20260205*I-9022**71022***DI~IT1*1*24*EA*2.5**VN*HNG-90"
            "~IT1*2*-3*EA*4**VN*DEPOSIT~TDS*4800~CTT*2",
            "20260205 0800",
        ),
    ),
    {
        "71022": {
            "states": ["invoiced"],
            "total": "48",
            "lines": {"HNG-90": "unknown: 24 invoiced", "DEPOSIT": "unknown: 3 credited"},
        }
    },
)
