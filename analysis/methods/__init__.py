"""Statistical methods: arrays go in, a frozen result comes out; one method per file."""
