"""The part of operators in sequences: clusters, their leases and reports."""
