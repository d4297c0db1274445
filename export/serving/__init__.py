"""TensorFlow Serving: configuration, twins on encoded images, a client."""
