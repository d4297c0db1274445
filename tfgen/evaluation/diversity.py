"""How much the outputs of one input differ, beside how much targets do."""

import numpy as np

from tfgen.evaluation.figure import Figure, Figures, standard_error
from tfgen.inference import Translator
from tfgen.metrics import extract_features, pairwise_distance

_NUM_OUTPUTS = 4  # for an input
_MOST_INPUTS = 100

_MEANING = "feature distance of outputs for one input; floor: of any two real targets"


class Diversity:
    """Outputs of several seeds for the first test inputs, and the features of targets.

    Features are those of the kernel distance. Targets of different inputs differ more
    than those of one may: their distance is a ceiling, not an aim. A model without
    noise has no such figure.

    Args:
        translator: Of the model.
        network: Images -> features.
    """

    def __init__(self, translator: Translator, network: object) -> None:
        self.is_measured = "sample" in translator.endpoints
        self.direction = translator.directions[0]
        self.network = network
        seeds = range(translator.seed, translator.seed + _NUM_OUTPUTS)
        self.translators = [
            Translator(translator.endpoints, self.direction, seed) for seed in seeds
        ]
        self.outputs: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []

    def see(self, inputs: np.ndarray, targets: np.ndarray, start: int) -> None:
        """Keeps the features of a batch, whose first image is number `start`."""
        rest = max(0, _MOST_INPUTS - start)
        if not self.is_measured or not len(inputs[:rest]):
            return
        features = [
            extract_features(
                translate(inputs[:rest], self.direction, start), self.network
            )
            for translate in self.translators
        ]
        self.outputs.append(np.stack(features, axis=1))
        self.targets.append(extract_features(targets[:rest], self.network))

    def figures(self) -> Figures:
        """Returns the figure, if there is one."""
        if not self.outputs:
            return []
        distances = pairwise_distance(np.concatenate(self.outputs))
        targets = np.concatenate(self.targets)
        floor = None
        if len(targets) > 1:
            floor = float(pairwise_distance(targets[np.newaxis])[0])
        value, error = float(distances.mean()), standard_error(distances)
        return [Figure("diversity", value, _MEANING, error, floor)]
