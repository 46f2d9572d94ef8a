"""The backend's step from an app's spec to a service of the cluster: its checks, and its hash of the spec."""
