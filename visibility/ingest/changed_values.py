"""The values of settings before and after a change, for the audit log."""

from collections.abc import Mapping, Set


def values_before_and_after(
    before: Mapping[str, object], after: Mapping[str, object], *, names: Set[str]
) -> dict[str, dict[str, object]]:
    """The values of the settings with these names that changed; empty if none did."""
    changed = sorted(name for name in names if before.get(name) != after.get(name))
    if not changed:
        return {}
    return {
        "before": {name: before.get(name) for name in changed},
        "after": {name: after.get(name) for name in changed},
    }
