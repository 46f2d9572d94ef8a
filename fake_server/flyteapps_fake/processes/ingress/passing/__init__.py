"""The exchange of requests, responses and bytes with replicas, once the app that a request is for is known."""
