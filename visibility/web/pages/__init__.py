"""Django views of the pages, one module per section."""
