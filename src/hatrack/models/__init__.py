"""Base models and what lies on them: finding, loading, rendering, adapting, generating, embedding."""
