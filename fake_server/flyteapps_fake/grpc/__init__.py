"""grpcio's servers over a plane."""
