"""From examples to an adapter: one loop, any method, any objective."""
