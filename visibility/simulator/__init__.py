"""A twin of a mid-size distributor that speaks to the product over HTTP alone."""
