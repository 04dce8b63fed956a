"""An adapter's files and how they act on a base."""
