"""What connectors are made of: the canonical model, HTTP, signatures, parsing."""
