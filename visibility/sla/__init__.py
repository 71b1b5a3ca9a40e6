"""Run the rules' clocks on folded orders, and turn due clocks into alerts."""
