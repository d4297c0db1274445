"""Shows why sampling the latent space works for a VAE and not for an autoencoder.

    python tests/benchmarks/latent_holes.py [--out latent_holes.png] [--epochs 30]

The same networks, data and epochs; latents from Normal(0, I), decoded.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="latent_holes.png")
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()

    import numpy as np
    from PIL import Image

    import tfgen
    from tfgen.figures import pictures

    digits = tfgen.data.load_images("mnist_5k")
    latents = np.random.default_rng(0).normal(size=(36, 8)).astype("float32")
    sides = []
    for name in ("autoencoder", "vae"):
        model = tfgen.create_model(f"{name}_mnist_5k", latent_dim=8, seed=0)
        model.fit(digits, epochs=options.epochs, shuffle=False, verbose=2)
        images = np.asarray(model.signatures()["decode"](latents)["images"])
        panel = {f"{name}: z from Normal(0, I)": pictures.tile(images)}
        sides.append(np.asarray(pictures.compose(panel)))
    picture = Image.fromarray(np.concatenate(sides, axis=1))
    print(pictures.save_picture(picture, options.out))


if __name__ == "__main__":
    main()
