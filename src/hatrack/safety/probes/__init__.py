"""Probes: what a red team asks."""
