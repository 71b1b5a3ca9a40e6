"""Building blocks of connectors: canonical events, HTTP values, signatures, parsers."""
