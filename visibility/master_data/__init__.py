"""Master data: tables, writes with history, file import and export, and reprocessing of orders."""
