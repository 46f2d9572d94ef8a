"""The API of cluster operators: pools, leases, reports."""
