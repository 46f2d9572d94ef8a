"""Authentication of the stand-in."""
