"""The event log in the formats other tools read: OCEL 2.0 and EPCIS 2.0."""
