"""Which lines of the order are in which package."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import EventLine, Measure, QuantityMode
from connectors.sdk.required_and_ignored_event_members import reads_package_contents
from visibility.timeline.interpret_event_lines import event_names_only_other_orders
from visibility.timeline.model import PackageItem, RecordedEvent


def items_by_package(events: Iterable[RecordedEvent]) -> Mapping[str, tuple[PackageItem, ...]]:
    """{package key: its items}, as the source reports them that did so last."""
    last_source: dict[str, str] = {}
    items: dict[tuple[str, str], dict[str, PackageItem]] = {}
    for recorded in events:
        if not reads_package_contents(recorded.event.type) or event_names_only_other_orders(
            recorded
        ):
            continue
        for line in recorded.event.lines:
            if line.package_index < 0 or not recorded.does_line_name_this_or_no_order(line):
                continue
            package = recorded.object_keys[line.package_index]
            last_source[package] = recorded.source
            known = items.setdefault((package, recorded.source), {})
            known[line.line_id] = _package_item_after_line(known.get(line.line_id), line)
    return {
        package: tuple(item for _, item in sorted(items[(package, source)].items()))
        for package, source in last_source.items()
    }


def _package_item_after_line(known: PackageItem | None, line: EventLine) -> PackageItem:
    """The item after an event; an increment is added to what is known."""
    quantity = line.quantities.get(Measure.SHIPPED, line.quantities.get(Measure.PACKED))
    item = PackageItem(line.sku or line.line_id, quantity, line.unit, line.serials)
    if known is None:
        return item
    if line.quantity_mode is QuantityMode.DELTA and quantity is not None:
        item = replace(item, quantity=(known.quantity or Decimal(0)) + quantity)
    serials = tuple(dict.fromkeys((*known.serials, *line.serials)))
    return replace(
        item, quantity=known.quantity if quantity is None else item.quantity, serials=serials
    )
