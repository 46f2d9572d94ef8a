"""The cluster behind the backend: which of the backend's requests Kubernetes and Knative refuse, and in which words."""
