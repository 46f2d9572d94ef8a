"""What operators of clusters need: pools, leases, reports."""
