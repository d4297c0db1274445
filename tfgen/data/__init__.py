"""Images by name or by folder, as `tf.data` batches. The one place that reads files.

Importing it registers the data sets that need no network (`mnist_5k`, `openmoji`,
`sprites`) with TFDS, so that `tfds.load("mnist_5k")` works too.
"""

from tfgen.data.decode import find_damaged_image
from tfgen.data.description import (
    Description,
    Fingerprint,
    class_names,
    describe,
    find_classes,
    fingerprint,
)
from tfgen.data.factors import Factors, has_factors, load_factors
from tfgen.data.images import load_array, load_images
from tfgen.data.translation import (
    count_domains,
    is_paired,
    load_domain_arrays,
    load_domains,
    load_pair_arrays,
    load_pairs,
)

__all__ = [
    "Description",
    "Factors",
    "Fingerprint",
    "class_names",
    "count_domains",
    "describe",
    "find_classes",
    "find_damaged_image",
    "fingerprint",
    "has_factors",
    "is_paired",
    "load_array",
    "load_domain_arrays",
    "load_domains",
    "load_factors",
    "load_images",
    "load_pair_arrays",
    "load_pairs",
]
