"""Names of members as paths show them: a name that is data is `*`."""

import re

# A name with a number or an address in it is data, such as an order number as a key. A name that
# begins with @ is an attribute of XML or a member of JSON-LD.
DATA_IN_NAME = re.compile(r"\d{3,}|.@|^[0-9a-fA-F-]{16,}$")
MAX_NAMES = 10_000


class _ShownNames(dict[str, str]):
    """They repeat from message to message."""

    def __missing__(self, name: str) -> str:
        shown = "*" if DATA_IN_NAME.search(name) else name.replace("\0", "")[:60]
        if len(self) < MAX_NAMES:
            self[name] = shown
        return shown


shown_names = _ShownNames()
