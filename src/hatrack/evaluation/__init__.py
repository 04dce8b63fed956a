"""An adapter against its base, with honest statistics."""
