"""Builders of X12 interchanges with one group of transaction sets."""


def transaction_set(text: str, number: int = 1) -> str:
    """A set between its ST and SE: `transaction_set("850~BEG*00*SA*4711~CTT*0")`."""
    code, segments = text.split("~", 1)
    count = len([segment for segment in segments.split("~") if segment]) + 2
    return f"ST*{code}*{number:04}~{segments.rstrip('~')}~SE*{count}*{number:04}~"


def interchange(
    *sets: str,
    sender: str = "BIGMART",
    receiver: str = "ACME",
    control: int = 7,
    usage: str = "P",
    count: int | None = None,
    padded: bool = True,
) -> str:
    """An interchange of complete sets; `count` replaces the number of sets that it states."""
    blank, width, digits = (" " * 10, 15, 9) if padded else (" ", 0, 0)
    number = f"{control:0{digits}}"
    parties = f"ZZ*{sender:{width}}*ZZ*{receiver:{width}}"
    header = f"ISA*00*{blank}*00*{blank}*{parties}*260304*0915*U*00401*{number}*0*{usage}*>~"
    group = f"GS*PO*{sender}*{receiver}*20260304*0915*7*X*004010~"
    ends = f"GE*{len(sets) if count is None else count}*7~IEA*1*{number}~"
    return header + group + "".join(sets) + ends
