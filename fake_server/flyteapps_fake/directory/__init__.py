"""The state of a plane on disk: entries of bytes in a directory that one process uses."""
