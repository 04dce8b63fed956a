"""Personal data: what recognises it, and what becomes of it."""
