"""Training a preset or a model into a run directory, stopped and resumed exactly."""
