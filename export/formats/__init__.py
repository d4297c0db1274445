"""One file a format: what is written of an endpoint."""
