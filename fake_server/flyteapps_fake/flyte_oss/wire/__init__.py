"""The wire rules of the backend's server, which are those of connect-go and of Go's own packages."""
