"""Stored models: what turns a row of numbers into a margin and into each number's part in it. Nothing here can fit."""
