"""Request the refolds that a changed setting of a source needs."""

from collections.abc import Iterable

from visibility.sla.silence_limits import WAREHOUSES_SETTING
from visibility.storage.load_events import REPLACES_SETTING
from visibility.storage.request_refold_of_open_orders import (
    request_refold_of_all_orders,
    request_refold_of_open_orders,
)


def request_refolds_after_setting_change(names: Iterable[str]) -> None:
    """Request the refolds in the caller's transaction. `names`: of the changed settings."""
    changed = set(names)
    if REPLACES_SETTING in changed:
        request_refold_of_all_orders()
    elif WAREHOUSES_SETTING in changed:
        request_refold_of_open_orders()
