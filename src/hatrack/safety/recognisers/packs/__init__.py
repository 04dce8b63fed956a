"""Identifiers of one country each, as data: patterns, checksums, words that stand near them."""
