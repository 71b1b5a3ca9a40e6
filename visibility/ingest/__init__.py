"""Keep what comes in, durably and once, before anyone looks inside."""
