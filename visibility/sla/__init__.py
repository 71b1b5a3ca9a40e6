"""SLA rules, their clocks and working calendars."""
