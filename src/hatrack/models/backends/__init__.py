"""Models that answer over a protocol: the other side has the weights."""
