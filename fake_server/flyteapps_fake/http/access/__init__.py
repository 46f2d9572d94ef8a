"""Host policy and CORS: which hosts and origins are answered."""
