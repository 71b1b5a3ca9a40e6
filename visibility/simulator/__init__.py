"""A simulated mid-size distributor. It talks to the product over HTTP only."""
