"""Order search, the order list and one order."""
