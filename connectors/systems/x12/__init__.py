"""X12 EDI documents."""
