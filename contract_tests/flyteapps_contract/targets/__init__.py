"""The targets: an endpoint, planes in this process, a servicer in grpcio's test server."""
