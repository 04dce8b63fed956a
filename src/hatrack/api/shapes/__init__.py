"""What clients may send: OpenAI's request bodies, as far as they mean something here."""
