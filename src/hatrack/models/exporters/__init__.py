"""Formats in which an adapter leaves for other tools. Each is written, opened by the tool it is for, and compared."""
