"""What can be judged: an endpoint, planes in this process, a servicer in grpcio's test server."""
