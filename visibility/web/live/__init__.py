"""The live socket of open pages: its routing, its consumer and the hub that feeds it."""
