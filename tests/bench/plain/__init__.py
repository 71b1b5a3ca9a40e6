"""The plain way: what everyone writes first, written honestly.

A DRF view that checks the signature, stores a row and calls `.delay()`; a task for each event that
looks its order up, writes its milestone and its status. No more than that: no lines, no clocks, no
numbers, no change feed.
"""
