"""The HTTP client for outgoing requests."""
