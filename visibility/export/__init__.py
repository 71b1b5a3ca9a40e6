"""Event log exports in standard formats: OCEL 2.0 and EPCIS 2.0."""
