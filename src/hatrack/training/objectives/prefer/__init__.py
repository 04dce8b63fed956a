"""Preference learning: a better and a worse answer to the same prompt."""
