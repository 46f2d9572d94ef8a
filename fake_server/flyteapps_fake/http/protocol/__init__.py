"""Connect, gRPC and gRPC-Web as bytes: frames, compression, deadlines, JSON."""
