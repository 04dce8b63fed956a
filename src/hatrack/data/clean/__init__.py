"""Repairs of text: one file for each rule, and the cleaner that applies and counts them."""
