"""The rules that the protos write on messages."""
