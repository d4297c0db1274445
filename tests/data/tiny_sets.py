"""Small TFDS data sets of pairs and of two domains; importing it registers them."""

import tensorflow_datasets as tfds

from tests.data.conftest import HEIGHT, WIDTH, draw_pair

_IMAGE = {"shape": (HEIGHT, WIDTH, 3)}


class _Tiny(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    FEATURES = ("input_image", "real_image")
    SUPERVISED_KEYS = None

    def _info(self):
        features = {name: tfds.features.Image(**_IMAGE) for name in self.FEATURES}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {**features, "label": tfds.features.ClassLabel(num_classes=2)}
            ),
            supervised_keys=self.SUPERVISED_KEYS,
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 21),
                "test": self._generate_examples(100, 5)}  # fmt: skip

    def _generate_examples(self, first, count):
        for number in range(first, first + count):
            images = dict(zip(self.FEATURES, draw_pair(number), strict=False))
            yield number, {**images, "label": number % 2}


class TinyPairs(_Tiny):
    name = "tiny_pairs"


class TinyGroups(_Tiny):
    """Three examples a group."""

    name = "tiny_groups"

    def _info(self):
        info = super()._info()
        features = {**info.features, "group": tfds.features.Text()}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _generate_examples(self, first, count):
        for number, example in super()._generate_examples(first, count):
            yield number, {**example, "group": f"group {number // 3}"}


class TinySupervised(_Tiny):
    name = "tiny_supervised"
    FEATURES = ("y_first", "x_second")
    SUPERVISED_KEYS = FEATURES


class TinySingle(_Tiny):
    name = "tiny_single"
    FEATURES = ("image",)


class TinyFactors(TinySingle):
    """With a class and two known factors, both with numbers for their values."""

    name = "tiny_factors"

    def _info(self):
        info = super()._info()
        factor = tfds.features.ClassLabel(num_classes=3)
        factors = {"label_object_shape": factor, "label_third": factor}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({**info.features, **factors})
        )

    def _generate_examples(self, first, count):
        for number, example in super()._generate_examples(first, count):
            third, shape = number % 3, number % 21 // 7
            factors = {"label_object_shape": shape, "label_third": third}
            yield number, {**example, **factors}


class TinyTriple(_Tiny):
    name = "tiny_triple"
    FEATURES = ("x", "y", "z")

    def _generate_examples(self, first, count):
        for number in range(first, first + count):
            a, b = draw_pair(number)
            yield number, {"x": a, "y": b, "z": a, "label": 0}


class TinyDomains(TinySingle):
    """As `cycle_gan`: the domain is the split, and the label."""

    name = "tiny_domains"

    def _split_generators(self, dl_manager):
        return {"trainA": self._generate_examples(0, 9),
                "trainB": self._generate_examples(100, 13),
                "testA": self._generate_examples(50, 3),
                "testB": self._generate_examples(150, 4)}  # fmt: skip
