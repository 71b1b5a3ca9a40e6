"""BigCommerce."""
