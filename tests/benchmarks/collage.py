"""Draws README's picture: samples, a traversal and a translation of trained models.

    python -m tests.benchmarks.collage [--out .github/images/collage.png]

Samples and traversal are of the presets that come with tfgen. The translation is the
picture of RESULTS.md, of held-out emoji (`--translation FILE` takes another).
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=".github/images/collage.png")
    parser.add_argument(
        "--translation", default=".github/images/pix2pix_openmoji_64.png"
    )
    options = parser.parse_args()

    import tensorflow_probability  # noqa: F401  # before TensorFlow: it loads lazily
    from PIL import Image

    import tfgen
    from tfgen.figures import gallery, pictures

    labelled = tfgen.Run("conditional_vae_mnist_5k")
    digits = pictures.tile(labelled.sample(20, seed=1), columns=10)
    panels = {"a conditional VAE draws the digit that it is asked for": digits}
    blocks = [
        pictures.compose(panels),
        gallery.traversal(tfgen.Run("vae_mnist_5k"), rows=3),
        Image.open(options.translation).convert("RGB"),
    ]
    width = max(block.width for block in blocks)
    collage = Image.new("RGB", (width, sum(b.height for b in blocks)), "white")
    top = 0
    for block in blocks:
        collage.paste(block, (0, top))
        top += block.height
    print(pictures.save_picture(collage, options.out))


if __name__ == "__main__":
    main()
