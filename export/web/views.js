// The controls of a model, by its endpoints: those of pictures, and those of latents.

import { run, state } from "./runtime.js";
import {
  button, div, el, hint, imageInput, live, onDrag, pause, picture, redrawing, section, select,
  slider, thumbnail,
} from "./widgets.js";

const TITLES = {
  translate: "Translate", translate_ab: "A to B", translate_ba: "B to A",
  reconstruct: "Your picture and its reconstruction",
};

const DECODERS = { decode: "Decoded", generate: "Generated" };

// Returns the parts of the page; `redraw` draws all of their pictures again.
export function makeView({ model: { endpoints, page }, session }, redraw) {
  const decoder = Object.keys(DECODERS)
    .find((name) => endpoints[name]?.inputs.latents?.dtype === "float32");
  const parts = Object.keys(TITLES).filter((name) => session.endpoints.includes(name)
    && !(decoder && name === "reconstruct")).map(fromPicture);
  if (decoder) parts.push(...latentParts(decoder));
  if (!parts.length) parts.push(hint("This page has no controls for these endpoints."));
  if (Object.values(endpoints).some(({ inputs }) => inputs.labels)) {
    parts.unshift(div("row wide", select("Class", page.classes ?? ["0", "1"], 0, (label) => {
      state.label = label;
      redraw();
    })));
  }
  return parts;
}

// ---- Pictures of one's own -------------------------------------------------------------

function pictureInput(endpoint, onchange, first) {
  const examples = state.examples[endpoint].map(({ inputs }) =>
    Object.entries(inputs).find(([name]) => name.startsWith("images"))[1]);  // or `images_a`
  const large = endpoint.startsWith("translate") && state.model.page.tiled !== false;
  return imageInput(examples, onchange, large, first, state.model.page);
}

// A picture of one's own, and what an endpoint makes of it.
function fromPicture(endpoint) {
  const output = live(picture(TITLES[endpoint], { id: `output-${endpoint}` }),
    () => inTiles((tile) => run(endpoint, tile), input));
  const input = pictureInput(endpoint, output.redraw);
  return section(TITLES[endpoint], "wide", div("pair", input.node, div("", output)));
}

// A picture of any size, in tiles that overlap by half and are blended linearly.
async function inTiles(translate, { canvas, read, size: [height, width] }) {
  const { width: columns, height: rows } = canvas;
  const starts = (length, tile) => {
    const last = Math.ceil(2 * (length - tile) / tile);
    const step = (length - tile) / (last || 1);
    return Array.from({ length: last + 1 }, (_, i) => Math.round(i * step));
  };
  const ramp = (i, length) => Math.min(i + 0.5, length - i - 0.5);
  const total = new Float32Array(rows * columns);
  let sum = null, depth = 0;
  for (const top of starts(rows, height)) {
    for (const left of starts(columns, width)) {
      const { data, shape } = await translate(read(left, top));
      depth = shape.at(-1);
      sum ??= new Float32Array(rows * columns * depth);
      for (let i = 0; i < height * width; i += 1) {
        const [y, x] = [Math.floor(i / width), i % width];
        const weight = ramp(y, height) * ramp(x, width);
        const to = (top + y) * columns + left + x;
        total[to] += weight;
        for (let c = 0; c < depth; c += 1) sum[to * depth + c] += weight * data[i * depth + c];
      }
      await pause();
    }
  }
  const blended = sum.map((value, i) => value / total[Math.floor(i / depth)]);
  return { data: blended, shape: [rows, columns, depth] };
}

// ---- Latents ---------------------------------------------------------------------------

function normal(seed, size) {  // mulberry32, and Box and Muller's normal variables
  let a = seed >>> 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float32Array.from({ length: size }, () =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

function latentParts(decoder) {
  const { endpoints, page: { latents: named, directions = [] } } = state.model;
  const [, size] = endpoints[decoder].inputs.latents.shape;
  const variables = named ?? Array.from({ length: size }, (_, index) =>
    ({ index, label: `latent ${index}`, centre: 0, spread: 1 }));
  const centre = new Float32Array(size);
  for (const variable of variables) centre[variable.index] = variable.centre;
  const latents = centre.slice();
  const decode = (vector) => run(decoder, vector);

  const output = live(picture("decoded picture", { id: "output" }), () => decode(latents));
  const move = (vector) => {
    latents.set(vector);
    sliders.forEach(({ set }, i) => set(latents[variables[i].index]));
    map.mark();
    output.redraw();
  };
  const put = (vector) => {
    ways.forEach(({ set }) => set(0));
    move(vector);
  };
  const sliders = variables.map(({ index, label, centre: value, spread }) => slider(label,
    { min: value - 3 * spread, max: value + 3 * spread, value, step: spread / 50 || 0.01 },
    (moved) => move(latents.with(index, moved))));
  const ways = directions.map(({ label, vector, span = 1.5 }) => slider(label,
    { min: -span, max: span }, (to, from) =>
      move(latents.map((value, i) => value + (to - from) * vector[i]))));
  const map = latentMap(variables, latents, decode, put);
  // Of a seed; between two seeds, on a circle through both: as normal as they are.
  const sample = (seed) => {
    const [a, b] = [0, 1].map((next) => normal(Math.floor(seed) + next, size));
    const [p, q] = [Math.cos, Math.sin].map((part) => part(seed % 1 * Math.PI / 2));
    const vector = centre.slice();
    for (const { index: i, spread } of variables) vector[i] += spread * (p * a[i] + q * b[i]);
    return vector;
  };
  const samples = sampleGrid(sample, decode, put);
  const column = (title, className, list, text) => section(title, className, hint(text),
    div("sliders", ...list.map(({ node }) => node)));
  const parts = [
    section(DECODERS[decoder], "", output, div("row", button("Another sample", samples.another),
      button("Centre", () => put(centre)))),
    column("Latent variables", "", sliders, named
      ? "The one that matters most is first; three standard deviations each way." : ""),
    section("Map of two", "", map.node),
    ...(ways.length ? [column("Directions", "wide columns", ways, "")] : []),
    samples.node,
  ];
  if (endpoints.encode) parts.push(reconstruction(decode, put));
  if (decoder === "generate") samples.another(); else put(centre);
  return parts;
}

// The reconstruction of a picture, and the way to that of another one.
function reconstruction(decode, put) {
  const encode = async (input) => (await run("encode", input.read())).data;
  const [code, use] = [hint(""), button("Use its code above")];
  const output = live(picture("reconstruction"), async () => {
    const [a, b] = [await encode(first), await encode(second)];
    const vector = a.map((value, i) => value + way.value() * (b[i] - value));
    code.textContent = `code: ${Array.from(vector, (value) => value.toFixed(1)).join(" ")}`;
    use.onclick = () => put(vector);
    return decode(vector);
  });
  const way = slider("from the first to the second", { min: 0, max: 1 }, output.redraw);
  const [first, second] = [0, 1].map((i) => pictureInput("encode", output.redraw, i));
  return section("Your pictures: reconstruction, and the way between", "wide", div("pair",
    first.node, el("div", {}, output, way.node, div("row", use), code), second.node));
}

const cell = () => el("canvas", { width: 1, height: 1 });  // square until it is drawn

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function latentMap(variables, latents, decode, put) {
  const COUNT = 9;
  const axes = [variables[0], variables[1] ?? variables[0]];
  const here = () => axes.map(({ index, centre, spread }) =>
    ((latents[index] - centre) / (spread || 1) + 3) / 6);
  const at = (place) => {  // the latents there: parts of the map's width and height
    const moved = latents.slice();
    axes.forEach(({ index, centre, spread }, i) => {
      moved[index] = centre + spread * (6 * Math.min(1, Math.max(0, place[i])) - 3);
    });
    return moved;
  };
  const cells = Array.from({ length: COUNT * COUNT }, (_, i) => live(cell(), () =>
    decode(at([i % COUNT, Math.floor(i / COUNT)].map((place) => (place + 0.5) / COUNT)))));
  const ring = el("span", { className: "ring" });
  const map = el("div", { className: "map", tabIndex: 0, role: "application",
    ariaLabel: "map of two latent variables: drag, or use the arrow keys" }, ...cells, ring);
  const redraw = redrawing(map);
  let timer = 0;
  const mark = () => {  // and draw the map of where one is, once one rests there
    [ring.style.left, ring.style.top] = here().map((part) => `${100 * part}%`);
    clearTimeout(timer);
    timer = setTimeout(redraw, 300);
  };
  onDrag(map, (place) => put(at(place)));
  map.onkeydown = (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    put(at(here().map((part, i) => part + step[i] / 60)));
  };
  const choices = ["Across", "Down"].map((text, i) => select(text,
    variables.map(({ label }) => label), variables.indexOf(axes[i]),
    (chosen) => { axes[i] = variables[chosen]; mark(); }));
  return { node: el("div", {}, map, div("row", ...choices)), mark };
}

// Samples by seed; one that is pressed is taken, and a walk goes from one to the next.
function sampleGrid(sample, decode, put) {
  const COUNT = 12;
  let first = 0, position = -1;
  const walk = (to) => {
    position = to % COUNT;
    way.set(position);
    put(sample(first + position));
  };
  const way = slider("from sample to sample", { min: 0, max: COUNT - 0.01 }, walk);
  const tiles = Array.from({ length: COUNT }, (_, i) => thumbnail(
    live(cell(), () => decode(sample(first + i))), `sample ${i + 1}`, () => walk(i)));
  const grid = div("grid", ...tiles);
  const redraw = redrawing(grid);
  const turn = (to) => {
    field.value = first = Math.max(0, Math.floor(to) || 0);
    redraw();
  };
  const field = el("input", { type: "number", min: 0, value: 0,
    onchange: () => turn(field.value) });
  const play = button("Walk", async () => {
    play.ariaPressed = String(play.ariaPressed !== "true");
    while (play.ariaPressed === "true") {
      walk(Math.max(0, position) + 0.02);
      await new Promise(requestAnimationFrame);
    }
  });
  const node = section("Samples", "wide", div("row", el("label", {}, "Seed ", field),
    button("Previous", () => turn(first - COUNT)), button("Next", () => turn(first + COUNT)), play),
  way.node, grid);
  return { node, another: () => walk(Math.floor(position) + 1) };
}
