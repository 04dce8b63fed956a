"""Guard-rails: rules for what goes into an adapter and what comes out of it."""
