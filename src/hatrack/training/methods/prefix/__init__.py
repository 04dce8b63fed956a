"""Keys and values of virtual tokens (Li & Liang 2021)."""
