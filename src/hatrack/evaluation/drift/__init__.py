"""Drift: whether what comes in is still what the adapter was made for."""
