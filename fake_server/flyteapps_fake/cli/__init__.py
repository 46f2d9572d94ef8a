"""The command `flyteapps serve`."""
