"""The page at ``/``: try the base and its adapters side by side, see where each version is, and who would answer a text."""
