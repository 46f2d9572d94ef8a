"""The sources of credentials: each an Auth, and what they share."""
