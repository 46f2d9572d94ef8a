"""The transport without a wire."""
