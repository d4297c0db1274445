"""What a VAE is made of: a string names a row of a table, an object is one's own."""

from tfgen.distributions.divergences import charge_free_bits
from tfgen.distributions.likelihoods import LIKELIHOODS, Bernoulli, Gaussian, Likelihood
from tfgen.distributions.posteriors import diagonal_normal, standard_normal

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Gaussian",
    "Likelihood",
    "charge_free_bits",
    "diagonal_normal",
    "standard_normal",
]
