"""Arrays to pictures, and the pictures that show a model."""
