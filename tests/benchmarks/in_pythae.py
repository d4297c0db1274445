"""Divergences of tfgen beside those of pythae 0.1.2, on the same tensors.

    python tests/benchmarks/in_pythae.py --python VENV/bin/python

VENV has pythae and torch: `pip install torch==2.13.0`, `pip install --no-deps
pythae==0.1.2`, and cloudpickle, imageio, pydantic, dill and scikit-learn. Prints a
line a divergence, without the reconstruction loss.
"""

import argparse
import subprocess
import sys
import tempfile
import types

import numpy as np

BATCH, DIM, BETA = 32, 5, 6.0


def tensors():
    """Means, log-variances, latents and draws of the prior, `(32, 5)` each."""
    rng = np.random.default_rng(0)
    loc, log_var = rng.normal(size=(BATCH, DIM)), rng.uniform(-3, 0, (BATCH, DIM))
    latents = loc + np.exp(log_var / 2) * rng.normal(size=(BATCH, DIM))
    drawn = rng.normal(size=(BATCH, DIM))
    return [x.astype("float32") for x in (loc, log_var, latents, drawn)]


def of_pythae(path):
    """Writes pythae's losses of no pixels: what is not reconstruction."""
    import torch
    from pythae.models import INFOVAE_MMD, BetaTCVAE

    loc, log_var, latents, drawn = map(torch.tensor, tensors())
    pixels = torch.zeros(BATCH, 1)
    losses = {}
    model = types.SimpleNamespace(
        alpha=1.0,
        beta=BETA,
        gamma=1.0,
        use_mss=False,
        model_config=types.SimpleNamespace(
            reconstruction_loss="mse", latent_dim=DIM, kernel_bandwidth=1.0
        ),
        _compute_log_gauss_density=lambda *x: BetaTCVAE._compute_log_gauss_density(
            None, *x
        ),
    )
    arguments = (pixels, pixels, loc, log_var, latents, 1)  # a batch for the data
    losses["beta_tc"] = BetaTCVAE.loss_function(model, *arguments)[0].item()
    model.alpha, model.lbd = 0.5, 10.5
    model.scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    for kernel in ("rbf", "imq"):
        model.kernel_choice = kernel
        name = f"{kernel}_kernel"
        own = getattr(INFOVAE_MMD, name)
        setattr(model, name, lambda a, b, own=own: own(model, a, b))
        arguments = (pixels, pixels, latents, drawn, loc, log_var)
        losses[kernel] = INFOVAE_MMD.loss_function(model, *arguments)[0].item()
    np.savez(path, **losses)


def of_tfgen():
    """Returns the same of tfgen."""
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tfgen.distributions import MMD, Inferred
    from tfgen.distributions.batch_divergences import total_correlation

    loc, log_var, latents, drawn = map(tf.constant, tensors())
    scale = tf.exp(log_var / 2)
    tfd = tfp.distributions
    posterior = tfd.Independent(tfd.Normal(loc, scale), 1)
    prior = tfd.Independent(tfd.Normal(tf.zeros(DIM), tf.ones(DIM)), 1)
    state = Inferred(posterior, prior, latents[None], lambda: drawn, None, True)
    losses = {
        kernel: float(MMD(kernel, 0.5, 10.0).charge(state, 1.0))
        for kernel in ("rbf", "imq")
    }
    # Theirs has the KL of the draws.
    kl = tf.reduce_mean(posterior.log_prob(latents) - prior.log_prob(latents))
    total = total_correlation(latents, loc, scale, None)
    losses["beta_tc"] = float(kl + (BETA - 1.0) * total)
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="of a venv with pythae")
    parser.add_argument("--worker", help="where its losses go")
    options = parser.parse_args()
    if options.worker:
        of_pythae(options.worker)
        return
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        command = [options.python, __file__, "--python", "-", "--worker", file.name]
        subprocess.run(command, check=True)
        theirs = dict(np.load(file.name))
    for name, ours in of_tfgen().items():
        difference = abs(ours - float(theirs[name]))
        print(f"{name}: {ours:.5f}, pythae {float(theirs[name]):.5f}, {difference:.1e}")
        if difference > 1e-3:
            sys.exit(f"{name} differs")


if __name__ == "__main__":
    main()
