"""One generative model a file, each read top to bottom like its paper."""
