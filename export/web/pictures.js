// Pictures of one's own: their reconstruction, the way between two, their translation.

import { row, run } from "./runtime.js";
import {
  button, coalesce, div, el, hint, imageInput, paint, pause, picture, section, select, slider,
} from "./widgets.js";

// The inputs beside the first: the class, and noise as in the first example.
export function extras(model, endpoint, examples, onchange) {
  const { inputs } = model.endpoints[endpoint];
  const chosen = {};
  if (inputs.noise) chosen.noise = row(examples[endpoint].inputs.noise, 0);
  if (!inputs.labels) return { chosen, nodes: [] };
  chosen.labels = [0];
  const names = model.page.classes ?? ["0", "1"];
  return { chosen, nodes: [select("Class", names, 0, (label) => {
    chosen.labels = [label];
    onchange();
  })] };
}

// The input that takes pictures: a CycleGAN's are `images_a` and `images_b`.
const imagesOf = ({ inputs }) => Object.keys(inputs).find((name) => name.startsWith("images"));

function imagesInto(model, endpoint, examples, onchange, large) {
  const name = imagesOf(model.endpoints[endpoint]);
  const shape = model.endpoints[endpoint].inputs[name].shape.slice(1);
  return imageInput(shape, examples[endpoint]?.inputs[name], onchange, large);
}

export function reconstruction(model, examples, latent) {
  const name = latent ? "encode" : "reconstruct";
  const { chosen, nodes } = extras(model, name, examples, () => refresh());
  const output = picture("reconstruction");
  const code = hint("");
  let current = null;
  const refresh = coalesce(async () => {
    if (latent) {
      current = await latent.encode(input.value());
      code.textContent = `code: ${[...current].map((value) => value.toFixed(1)).join(" ")}`;
      paint(output, await latent.decode(current));
    } else {
      const { data } = input.value();
      paint(output, (await run(model, name, { images: data, ...chosen })).images);
    }
  });
  const input = imagesInto(model, name, examples, refresh);
  input.take(0);
  const use = button("Use its code above", () => current && latent.put(current));
  return { refresh, node: section("Your picture and its reconstruction", "wide", div("pair",
    input.node, el("div", {}, output, div("row", ...(latent ? [use] : nodes)), code))) };
}

export function between(model, examples, encode, decode) {
  const output = picture("between two pictures");
  let part = 0.5;
  const refresh = coalesce(async () => {
    const [a, b] = [await encode(first.value()), await encode(second.value())];
    paint(output, await decode(a.map((value, i) => value + part * (b[i] - value))));
  });
  const [first, second] = [0, 1].map(() => imagesInto(model, "encode", examples, refresh));
  first.take(1);
  second.take(2);
  const way = slider("from the first to the second", { min: 0, max: 1, value: part },
    (moved) => { part = moved; refresh(); });
  return { refresh, node: section("Two pictures and the way between", "wide",
    div("pair", first.node, el("div", {}, output, way.node), second.node)) };
}

// ---- Translation -----------------------------------------------------------------------

const TITLES = { translate: "Translate", translate_ab: "A to B", translate_ba: "B to A" };

export function translation(model, endpoint, examples) {
  const { inputs, outputs } = model.endpoints[endpoint];
  const name = imagesOf({ inputs });
  const shape = inputs[name].shape.slice(1);
  const [height, width] = outputs.images.shape.slice(1);
  const { chosen, nodes } = extras(model, endpoint, examples, () => refresh());
  const output = picture("translated picture", { id: `output-${endpoint}`, width, height });
  const translate = async (images) =>
    (await run(model, endpoint, { [name]: images, ...chosen })).images;
  const refresh = coalesce(async () => {
    paint(output, await translateTiled(translate, input.value(), shape));
    output.classList.toggle("photo", input.canvas.classList.contains("photo"));
  });
  const input = imagesInto(model, endpoint, examples, refresh, model.page.tiled !== false);
  input.take(0);
  const text = `Draw, or drop a picture: larger than ${shape[1]}×${shape[0]}, in tiles.`;
  return { refresh, node: section(TITLES[endpoint] ?? endpoint, "wide", hint(text),
    div("pair", input.node, el("div", {}, output, ...nodes))) };
}

// A picture of any size, in tiles that overlap by half and are blended linearly.
async function translateTiled(translate, { data, shape }, [height, width, channels]) {
  const [rows, columns] = shape;
  const starts = (length, tile) => {
    const last = Math.ceil(2 * (length - tile) / tile);
    const step = (length - tile) / (last || 1);
    return Array.from({ length: last + 1 }, (_, i) => Math.round(i * step));
  };
  const ramp = (i, length) => Math.min(i + 0.5, length - i - 0.5);
  let sum = null, depth = 0;
  const total = new Float32Array(rows * columns);
  for (const top of starts(rows, height)) {
    for (const left of starts(columns, width)) {
      const tile = new Float32Array(height * width * channels);
      for (let y = 0; y < height; y += 1) {
        const from = ((top + y) * columns + left) * channels;
        tile.set(data.subarray(from, from + width * channels), y * width * channels);
      }
      const out = await translate(tile);
      depth = out.shape.at(-1);
      sum ??= new Float32Array(rows * columns * depth);
      for (let i = 0; i < height * width; i += 1) {
        const [y, x] = [Math.floor(i / width), i % width];
        const weight = ramp(y, height) * ramp(x, width);
        const to = (top + y) * columns + left + x;
        total[to] += weight;
        for (let c = 0; c < depth; c += 1) sum[to * depth + c] += weight * out.data[i * depth + c];
      }
      await pause();
    }
  }
  const blended = sum.map((value, i) => value / total[Math.floor(i / depth)]);
  return { data: blended, shape: [rows, columns, depth] };
}
