"""The command `flyteapps serve`: options, start-up, banner, access log."""
