"""What the client does in several steps, once for sync and async: generators that yield operations."""
