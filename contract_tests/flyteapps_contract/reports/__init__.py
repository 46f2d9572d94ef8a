"""What a run came to, for a terminal, for a CI server, for a program. Nothing here judges."""
