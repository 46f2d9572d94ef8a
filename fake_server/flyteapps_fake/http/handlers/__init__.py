"""The handlers of the front, one for each kind of request."""
