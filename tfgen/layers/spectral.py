"""Spectral normalisation with the gradient of the paper.

    W_used = W / s,   s = u^T W v,   u, v: singular vectors, one power iteration a call

The gradient passes through `s`, with `u` and `v` held. Keras's own layer of this name
writes `W / s` back into `W` instead, which is another algorithm (the gradient lacks
eq. 12's second term), and casts its outputs to the dtype of its inputs.

Reference: [Miyato et al., 2018](https://arxiv.org/abs/1802.05957), alg. 1 and eq. 12.
"""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="tfgen")
class SpectralNormalization(keras.layers.Wrapper):
    """Runs a convolution or dense layer with its kernel's spectral norm held at 1.

    Args:
        layer: A `keras.layers.Conv2D` or `keras.layers.Dense`.

    Call arguments:
        inputs: What the layer takes.
        training: Whether the singular vectors are refined by one power iteration.

    Returns:
        What the layer returns, with `W / s` in place of its kernel `W`.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            raise ValueError(
                f"`layer` must be a Conv2D or a Dense. Received: {type(layer).__name__}"
            )

    def build(self, input_shape=None):
        super().build(input_shape)
        self.vector_u = self.add_weight(
            shape=(self.layer.kernel.shape[-1],),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            name="vector_u",
        )

    def normalized_kernel(self, training=False):
        """Returns `W / s` in float32, shaped like the kernel."""
        kernel = tf.cast(self.layer.kernel, tf.float32)
        matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))  # (inputs, outputs)
        fixed = tf.stop_gradient(matrix)
        vector_u = tf.convert_to_tensor(self.vector_u)
        vector_v = tf.linalg.l2_normalize(tf.linalg.matvec(fixed, vector_u))
        if training:
            product = tf.linalg.matvec(fixed, vector_v, transpose_a=True)
            vector_u = tf.linalg.l2_normalize(product)
            self.vector_u.assign(vector_u)
        else:
            vector_u = tf.linalg.l2_normalize(vector_u)
        norm = tf.tensordot(vector_v, tf.linalg.matvec(matrix, vector_u), 1)
        return kernel / norm

    def call(self, inputs, training=False):
        layer = self.layer
        kernel = tf.cast(self.normalized_kernel(training), self.compute_dtype)
        if isinstance(layer, keras.layers.Conv2D):
            outputs = layer.convolution_op(inputs, kernel)
        else:
            outputs = ops.matmul(inputs, kernel)
        if layer.use_bias:
            outputs = outputs + layer.bias
        return layer.activation(outputs)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)
