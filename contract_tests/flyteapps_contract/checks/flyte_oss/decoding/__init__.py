"""The checks of flyte-oss about what the backend decodes: JSON requests, pods, secrets, quantities."""
