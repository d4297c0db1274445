"""Small models with `signatures()`, none of tfgen's, and readers of .tflite files."""

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

IMAGES = tf.TensorSpec((None, 8, 8, 1), tf.float32, name="images")
LATENTS = tf.TensorSpec((None, 4), tf.float32, name="latents")
SEEDS = tf.TensorSpec((None,), tf.int64, name="seeds")
LABELS = tf.TensorSpec((None,), tf.int32, name="labels")


class Autoencoder(keras.Model):
    """Dense layers; `critic` is trained with them and is no part of an endpoint."""

    def __init__(self, activation="sigmoid"):
        super().__init__()
        layers = keras.layers
        self.encoder = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Flatten(),
                layers.Dense(16, "relu"),
                layers.Dense(8),
            ]
        )
        self.decoder = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(16, "relu"),
                layers.Dense(64, activation),
                layers.Reshape((8, 8, 1)),
            ]
        )
        self.critic = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1, name="critic")]
        )
        self(keras.Input((8, 8, 1)))

    def call(self, images):
        return self.decoder(self.encoder(images)[:, :4])

    def signatures(self):
        @tf.function(input_signature=[IMAGES])
        def reconstruct(images):
            return {"images": self(images)}

        @tf.function(input_signature=[IMAGES])
        def negative(images):
            return {"images": 1.0 - self(images)}

        @tf.function(input_signature=[IMAGES])
        def encode(images):
            mean, raw = tf.split(self.encoder(images), 2, axis=-1)
            return {"mean": mean, "stddev": tf.nn.softplus(raw)}

        @tf.function(input_signature=[LATENTS])
        def decode(latents):
            return {"images": self.decoder(latents)}

        @tf.function(input_signature=[SEEDS])
        def sample(seeds):
            def draw(seed):
                return tf.random.stateless_normal((4,), seed=tf.stack([seed, 0]))

            latents = tf.map_fn(draw, seeds, fn_output_signature=tf.float32)
            return {"images": self.decoder(latents)}

        endpoints = (reconstruct, negative, encode, decode, sample)
        names = ("reconstruct", "negative", "encode", "decode", "sample")
        return dict(zip(names, endpoints, strict=True))


class Generator(keras.Model):
    """Convolutions whose shapes depend on the batch, and a label."""

    num_classes = 4

    def __init__(self):
        super().__init__()
        layers = keras.layers
        self.network = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(4 * 4 * 8),
                layers.Reshape((4, 4, 8)),
                layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
                layers.BatchNormalization(),
                layers.LeakyReLU(),
                layers.GroupNormalization(groups=2),
                layers.UpSampling2D(interpolation="bilinear"),
                layers.Conv2D(3, 3, padding="same", activation="sigmoid"),
            ]
        )
        self(keras.Input((4,)))

    def call(self, latents, training=False):
        return self.network(latents, training=training)

    def signatures(self):
        @tf.function(input_signature=[LATENTS, LABELS])
        def decode(latents, labels):
            noise = tf.fill([tf.shape(labels)[0], 4], 0.5)
            return {"images": self(latents + noise + tf.one_hot(labels, 4))}

        return {"decode": decode}


class Endpoints(keras.Model):
    """A weight, and whatever endpoints a test hands over."""

    def __init__(self, **endpoints):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.endpoints = endpoints
        self.built = True

    def signatures(self):
        return self.endpoints


def read_tflite(path):
    """Returns signature names and, for every subgraph, its operations and shapes."""
    names = {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if isinstance(code, int)
    }
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    codes = [
        names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]
    operations = [
        [codes[operator.opcodeIndex] for operator in graph.operators]
        for graph in model.subgraphs
    ]
    shapes = [
        [list(graph.tensors[i].shape) for i in (*graph.inputs, *graph.outputs)]
        for graph in model.subgraphs
    ]
    signatures = {
        definition.signatureKey.decode() for definition in model.signatureDefs
    }
    return signatures, operations, shapes


def largest_buffer(path):
    """Returns where the largest weight of a .tflite file lies: offset and length."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    data = [
        np.asarray(buffer.data) for buffer in model.buffers if buffer.data is not None
    ]
    largest = max(data, key=len).tobytes()
    return path.read_bytes().index(largest), len(largest)
