"""Images by name or by folder, as `tf.data` batches. The one place that reads files.

Importing it registers the data sets that need no network (`mnist_5k`, `openmoji`,
`sprites`) with TFDS, so that `tfds.load("mnist_5k")` works too.
"""

from tfgen.data.factors import Factors, has_factors, load_factors
from tfgen.data.loading import (
    Description,
    class_names,
    describe,
    load_array,
    load_images,
)
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
    "class_names",
    "count_domains",
    "describe",
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
