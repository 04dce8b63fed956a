"""Detectors: rules that say whether an answer passes a probe."""
