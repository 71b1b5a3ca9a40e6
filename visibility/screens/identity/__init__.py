"""The matching workbench."""
