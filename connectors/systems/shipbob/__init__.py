"""ShipBob."""
