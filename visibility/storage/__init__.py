"""Loading of events and dictionaries, and the refold queue: what several stages share."""
