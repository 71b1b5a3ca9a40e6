"""Tests of outgoing requests."""
