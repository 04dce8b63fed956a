"""Axolotl's config files, read into Hatrack's."""
