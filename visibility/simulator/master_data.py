"""Customers, items, warehouses and carriers of the distributor: the same in every run."""

from typing import NamedTuple

OWN_ISA = "THROUGHLINE"
WAREHOUSE_ISA = "3PLNORTH"
DALLAS = "Dallas"
NORTH = "3PL North"
SHOP_DOMAIN = "throughline-supply.myshopify.com"
CURRENCY = "USD"


class SimulatedCustomer(NamedTuple):
    """A company that buys. `isa` is its EDI interchange ID, empty without EDI."""

    number: str
    name: str
    city: str
    state: str
    postcode: str
    isa: str = ""


class SimulatedItem(NamedTuple):
    """An item that is sold. The price is in cents."""

    sku: str
    title: str
    price: int


class SimulatedCarrier(NamedTuple):
    """A carrier: `method` is the shop's name for the service, `service` the carrier's own."""

    name: str
    method: str
    service: str


EDI_CUSTOMERS = (
    SimulatedCustomer(
        "C10010", "Lone Star Electric Supply", "Fort Worth", "TX", "76102", "LONESTAREL"
    ),
    SimulatedCustomer(
        "C10011", "Great Lakes Industrial", "Cleveland", "OH", "44114", "GRTLAKESIND"
    ),
    SimulatedCustomer(
        "C10012", "Pacific Contractors Group", "Fresno", "CA", "93721", "PACCONTRGRP"
    ),
    SimulatedCustomer("C10013", "Hudson Facility Services", "Albany", "NY", "12207", "HUDSONFACSV"),
    SimulatedCustomer("C10014", "Summit Mining & Aggregate", "Denver", "CO", "80202", "SUMMITMINE"),
    SimulatedCustomer(
        "C10015", "Gulf Coast Refining MRO", "Baton Rouge", "LA", "70802", "GULFCOASTMR"
    ),
)

_CITIES = (
    ("Austin", "TX", "78701"),
    ("Tulsa", "OK", "74103"),
    ("Memphis", "TN", "38103"),
    ("Wichita", "KS", "67202"),
    ("Omaha", "NE", "68102"),
    ("Phoenix", "AZ", "85004"),
    ("Atlanta", "GA", "30303"),
    ("Columbus", "OH", "43215"),
    ("Raleigh", "NC", "27601"),
    ("Boise", "ID", "83702"),
    ("Madison", "WI", "53703"),
    ("Tacoma", "WA", "98402"),
)
_NAMES = (
    "Alder Machine Works",
    "Baxter Panel Shop",
    "Beacon Lighting Contractors",
    "Bluebonnet Electric Co-op",
    "Brazos Valley HVAC",
    "Brightline Automation",
    "Cactus Wire & Cable",
    "Calder Pump Service",
    "Cedar Ridge Farms",
    "Centennial Data Centers",
    "Clearwater Utilities",
    "Copperhead Controls",
    "Crosstown Elevator",
    "Delta Conveyor",
    "Dogwood Packaging",
    "Eastgate Foundry",
    "Edison Street Builders",
    "Falcon Fire & Safety",
    "Ferris Tool & Die",
    "Flint Creek Solar",
    "Foxglove Hospitality",
    "Granite State Builders",
    "Harbor Marine Electric",
    "Heartland Grain Elevators",
    "High Plains Wind",
    "Ironwood Fabrication",
    "Juniper School District",
    "Keystone Panelboard",
    "Lakeshore Bottling",
    "Larkspur Medical Campus",
    "Liberty Switchgear Repair",
    "Magnolia Paper Mill",
    "Maple & Sons Electric",
    "Meridian Rail Services",
    "Mesa Verde Irrigation",
    "Northfield Dairy",
    "Oakline Cabinets",
    "Old Mill Textiles",
    "Orchard Cold Storage",
    "Palisade Plastics",
    "Pinecrest Apartments",
    "Prairie Robotics",
    "Quarry Hill Cement",
    "Red River Compressors",
    "Ridgeway Property Group",
    "Riverbend Brewing",
    "Sandstone Hotels",
    "Sierra Instrumentation",
    "Southside Auto Plant",
    "Stonebridge Hospital",
    "Tidewater Shipyard",
    "Tri-County Water District",
    "Union Square Offices",
    "Westfall Greenhouses",
)
_WEB_CUSTOMER_COUNT = 36
CUSTOMERS = tuple(
    SimulatedCustomer(f"C{20010 + index}", name, *_CITIES[index % len(_CITIES)])
    for index, name in enumerate(_NAMES)
)
WEB_CUSTOMERS = CUSTOMERS[:_WEB_CUSTOMER_COUNT]
INSIDE_CUSTOMERS = CUSTOMERS[_WEB_CUSTOMER_COUNT:]

# A family: SKU prefix, title, price of the smallest size in cents, sizes.
_FAMILIES = (
    ("CB", "Circuit breaker, bolt-on", 1890, "15A 20A 30A 40A 50A 60A 70A 80A 90A 100A"),
    ("CT", "Contactor, 3 pole", 4250, "9A 12A 18A 25A 32A 40A 50A 65A 80A 95A"),
    ("TW", "THHN copper wire, 500 ft", 7900, "14AWG 12AWG 10AWG 8AWG 6AWG 4AWG 3AWG 2AWG 1AWG 1/0"),
    (
        "EC",
        "EMT conduit, 10 ft",
        640,
        "1/2in 3/4in 1in 1-1/4in 1-1/2in 2in 2-1/2in 3in 3-1/2in 4in",
    ),
    ("FU", "Fuse, class J time delay", 1120, "1A 3A 6A 10A 15A 20A 30A 45A 60A 100A"),
    ("LD", "LED high bay", 8900, "80W 100W 120W 150W 165W 180W 200W 220W 240W 300W"),
    ("PS", "DIN rail power supply 24V", 3900, "15W 30W 45W 60W 75W 100W 120W 150W 240W 480W"),
    ("MS", "Motor starter protector", 5100, "0.4A 0.63A 1A 1.6A 2.5A 4A 6.3A 10A 16A 20A"),
    ("CG", "Cable gland, nylon", 210, "PG7 PG9 PG11 PG13 PG16 PG21 PG29 PG36 PG42 PG48"),
    ("EN", "Enclosure, NEMA 4X", 6400, "6x4 6x6 8x6 8x8 10x8 12x10 12x12 14x12 16x14 20x16"),
    ("PX", "Proximity sensor, inductive", 2750, "M8 M12 M18 M30 M8L M12L M18L M30L M12X M18X"),
    ("GL", "Work gloves, cut level A4, dozen", 4320, "XS S M L XL 2XL 3XL 4XL S-L M-L"),
)
ITEMS = tuple(
    SimulatedItem(
        f"{prefix}-{index + 1:02}{size.split('-')[0].replace('/', '').replace('.', '').upper()}",
        f"{title}, {size}",
        round(price * (1 + 0.22 * index)),
    )
    for prefix, title, price, sizes in _FAMILIES
    for index, size in enumerate(sizes.split())
)

CARRIERS = (
    SimulatedCarrier("UPS", "UPS Ground", "Ground"),
    SimulatedCarrier("FedEx", "FedEx Ground", "FEDEX_GROUND"),
    SimulatedCarrier("USPS", "USPS Priority Mail", "Priority"),
)
CARRIER_WEIGHTS = (50, 34, 16)
# Carrier hubs, used as scan locations.
HUBS = (("Mesquite", "TX", "75150"), ("Louisville", "KY", "40209"), ("Memphis", "TN", "38118"))
ORIGINS = {DALLAS: ("Dallas", "TX", "75212"), NORTH: ("Joliet", "IL", "60431")}
