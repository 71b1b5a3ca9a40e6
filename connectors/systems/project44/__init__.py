"""project44."""
