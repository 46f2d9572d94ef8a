"""The platform services: the services beside AppService that the Flyte SDK and CLI call."""
