"""Only what Keras lacks."""
