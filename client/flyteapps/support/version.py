"""The version of the package, which pyproject.toml reads here, and the client's name to servers."""

__version__ = "0.1.0"

USER_AGENT = f"flyteapps/{__version__}"
