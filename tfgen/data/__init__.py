"""Images by name or by folder, as `tf.data` batches. The one place that reads files.

Importing it registers the data sets that need no network (`mnist_5k`, `openmoji`)
with TFDS, so that `tfds.load("mnist_5k")` works too.
"""

from tfgen.data.loading import Description, describe, load_array, load_images

__all__ = ["Description", "describe", "load_array", "load_images"]
