"""Versions, reports and aliases."""
