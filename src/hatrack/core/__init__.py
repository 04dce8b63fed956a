"""Errors, records, config, names: what every room needs and what needs no room."""
