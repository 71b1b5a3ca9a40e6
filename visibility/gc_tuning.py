"""Python looks for rings of dead objects ever again among all that live: most of it in vain."""

import gc

# So many new objects before the youngest are looked at; Python's own number is 700.
NEW = 20_000


def settle() -> None:
    """A process has loaded what it keeps: leave that alone, and look less often at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW, 10, 10)
