"""Adapters of other tools: found, and brought into the layout that is read here."""
