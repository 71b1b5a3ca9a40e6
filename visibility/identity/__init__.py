"""Find the objects events speak of, and fold the orders they touch."""
