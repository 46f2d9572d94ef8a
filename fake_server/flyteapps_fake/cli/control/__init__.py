"""`flyteapps control`: a running stand-in driven from the shell, over its control API."""
