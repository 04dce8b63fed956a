"""Retrieval: documents in, passages out, with the reasons why."""
