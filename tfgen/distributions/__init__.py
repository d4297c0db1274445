"""What a VAE is made of: a string names a row of a table, an object is one's own."""

from tfgen.distributions.likelihoods import LIKELIHOODS, Bernoulli, Gaussian, Likelihood

__all__ = ["LIKELIHOODS", "Bernoulli", "Gaussian", "Likelihood"]
