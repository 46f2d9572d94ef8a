"""The standard dialect: what the protos document and the Flyte SDK relies on."""
