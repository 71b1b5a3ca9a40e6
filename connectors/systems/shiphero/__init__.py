"""ShipHero."""
