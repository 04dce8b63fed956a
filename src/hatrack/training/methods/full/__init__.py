"""Every weight of the base."""
