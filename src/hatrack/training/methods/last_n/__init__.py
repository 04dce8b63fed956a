"""Every weight of the last blocks."""
