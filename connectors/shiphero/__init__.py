"""What ShipHero's messages share; the connector beside knows their kinds."""
