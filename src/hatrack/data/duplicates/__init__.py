"""Texts that say the same: hashes propose pairs, the texts decide. See docs/duplicates.md."""
