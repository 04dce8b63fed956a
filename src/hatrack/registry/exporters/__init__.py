"""Versions in the shapes of other registries."""
