"""Open, reconcile and close alerts; apply what people do with them."""
