"""Recognisers find personal data in text; nothing is changed here."""
