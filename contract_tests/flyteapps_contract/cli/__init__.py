"""The command `flyteapps verify`."""
