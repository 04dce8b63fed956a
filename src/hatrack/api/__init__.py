"""The HTTP server: OpenAI's shapes in front, keys and limits around, and nothing of training behind."""
