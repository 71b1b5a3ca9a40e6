"""Run the stages in order, from a message to its alerts."""
