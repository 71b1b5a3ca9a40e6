"""Queries of the section *Matching*: which records belong to which order."""
