"""The operations of several steps, once for blocking and awaiting callers: generators that yield operations."""
