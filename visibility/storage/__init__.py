"""Loading and locking that several stages share."""
