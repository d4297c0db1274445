"""The runs that evaluation is tested on: see tests/runs.py."""

from tests.runs import (  # noqa: F401
    autoencoder_run,
    conditional_run,
    cyclegan_run,
    folder,
    gan_run,
    many_images,
    own_cache,
    pairs_folder,
    pix2pix_run,
    quick_run,
    sprites_run,
    vae_run,
)
