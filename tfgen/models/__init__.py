"""One generative model a file, each read top to bottom like its paper."""

from tfgen._compat import require_tensorflow_backend

require_tensorflow_backend()
