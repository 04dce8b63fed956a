"""The packs of probes that come with Hatrack: what a red team asks, in YAML."""
