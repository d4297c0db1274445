// The controls of a model, by its endpoints: those of latents, and those of pictures.js.

import { between, extras, reconstruction, translation } from "./pictures.js";
import { run, state } from "./runtime.js";
import {
  button, coalesce, div, el, hint, onDrag, paint, picture, section, select, slider,
} from "./widgets.js";

const isLatent = (endpoint) => endpoint?.inputs.latents?.dtype === "float32";

// Returns parts of the page, each { node, refresh }: `refresh` draws its pictures again.
export function makeView(model, examples) {
  const { endpoints } = model;
  const decoder = ["decode", "generate"].find((name) => isLatent(endpoints[name]));
  const parts = Object.keys(endpoints)
    .filter((name) => name.startsWith("translate") && state.session.endpoints.includes(name))
    .map((name) => translation(model, name, examples));
  if (decoder) parts.push(...latentParts(model, decoder, examples));
  else if (endpoints.reconstruct) parts.push(reconstruction(model, examples));
  if (!parts.length) parts.push({ node: hint("This page has no controls for these endpoints.") });
  return parts;
}

export const refreshAll = (parts) => parts.forEach(({ refresh }) => refresh?.());

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

function latentParts(model, decoder, examples) {
  const [, size] = model.endpoints[decoder].inputs.latents.shape;
  const { latents: named, directions = [] } = model.page;
  const plain = Array.from({ length: size }, (_, index) => ({ index, label: `latent ${index}` }));
  const variables = (named ?? plain).map((variable) => ({ centre: 0, spread: 1, ...variable }));
  const centre = new Float32Array(size);
  for (const variable of variables) centre[variable.index] = variable.centre;
  const latents = centre.slice();
  const weights = directions.map(() => 0);
  const parts = [];
  const { chosen, nodes } = extras(model, decoder, examples, () => refreshAll(parts));
  const decode = async (vector) =>
    (await run(model, decoder, { latents: vector, ...chosen })).images;

  const canvas = picture("decoded picture", { id: "output" });
  const draw = coalesce(async () => paint(canvas, await decode(latents.map((value, i) =>
    directions.reduce((sum, { vector }, d) => sum + weights[d] * vector[i], value)))));
  const sliders = variables.map(({ index, label, centre: value, spread }) => slider(label,
    { min: value - 3 * spread, max: value + 3 * spread, value, step: spread / 50 || 0.01 },
    (moved) => { latents[index] = moved; map.mark(); draw(); }));
  const ways = directions.map(({ label, span = 1.5 }, d) => slider(label,
    { min: -span, max: span }, (weight) => { weights[d] = weight; draw(); }));
  const put = (vector) => {
    latents.set(vector);
    sliders.forEach(({ set }, i) => set(latents[variables[i].index]));
    map.mark();
    draw();
  };
  const map = latentMap(variables, latents, decode, put);
  const samples = sampleGrid(size, (noise) => {
    const sample = centre.slice();
    for (const { index, spread } of variables) sample[index] += spread * noise[index];
    return sample;
  }, decode, put);
  const centred = button("Centre", () => {
    ways.forEach(({ set }) => set(0));
    weights.fill(0);
    put(centre);
  });
  const columns = (title, text, list, className) => section(title, className, hint(text),
    div("sliders", ...list.map(({ node }) => node)));
  parts.push({ refresh: draw, node: section("Decoded", "", canvas,
    div("row", button("Another sample", samples.another), centred, ...nodes)) });
  const order = "The one that matters most is first; three standard deviations each way.";
  parts.push({ node: columns("Latent variables", named ? order : "", sliders, "") });
  parts.push({ node: section("Map of two", "", map.node), refresh: map.refresh });
  if (ways.length) parts.push({ node: columns("Directions", "", ways, "wide columns") });
  parts.push(samples);
  if (model.endpoints.encode) {
    const encode = async ({ data }) => {
      const outputs = await run(model, "encode", { images: data, ...chosen });
      return (outputs.mean ?? outputs.latents).data;
    };
    parts.push(reconstruction(model, examples, { encode, decode, put }),
      between(model, examples, encode, decode));
  }
  if (decoder === "generate") samples.another();
  return parts;
}

const ARROWS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

function latentMap(variables, latents, decode, put) {
  const CELLS = 9, SIDE = 360;
  const axes = [variables[0], variables[1] ?? variables[0]];
  const canvas = picture("map of two latent variables: drag, or use the arrow keys",
    { className: "map", width: SIDE, height: SIDE, tabIndex: 0, role: "application" });
  const context = canvas.getContext("2d");
  const paper = el("canvas", { width: SIDE, height: SIDE });
  const value = ({ centre, spread }, part) => centre + spread * (6 * part - 3);
  const parts = () => axes.map(({ index, centre, spread }) =>
    ((latents[index] - centre) / (spread || 1) + 3) / 6);
  let timer = 0;
  const mark = () => {  // and draw the map of where one is, once one rests there
    ring();
    clearTimeout(timer);
    timer = setTimeout(refresh, 300);
  };
  const ring = () => {
    const [x, y] = parts();
    context.drawImage(paper, 0, 0);
    Object.assign(context, { strokeStyle: "#e5484d", lineWidth: 3 });
    context.beginPath();
    context.arc(x * SIDE, y * SIDE, 9, 0, 7);
    context.stroke();
  };
  const refresh = coalesce(async () => {
    const cell = el("canvas");
    const side = SIDE / CELLS;
    const around = latents.slice();
    for (let i = 0; i < CELLS * CELLS; i += 1) {
      const [column, line] = [i % CELLS, Math.floor(i / CELLS)];
      around[axes[0].index] = value(axes[0], (column + 0.5) / CELLS);
      around[axes[1].index] = value(axes[1], (line + 0.5) / CELLS);
      paint(cell, await decode(around));
      paper.getContext("2d").drawImage(cell, column * side, line * side, side, side);
      if (column === CELLS - 1) ring();
    }
  });
  const go = (...to) => {
    const moved = latents.slice();
    axes.forEach((axis, i) => {
      moved[axis.index] = value(axis, Math.min(1, Math.max(0, to[i])));
    });
    put(moved);
  };
  onDrag(canvas, go);
  canvas.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    go(...parts().map((part, i) => part + step[i] / 60));
  });
  const choices = ["Across", "Down"].map((text, i) => select(text,
    variables.map(({ label }) => label), variables.indexOf(axes[i]),
    (chosen) => { axes[i] = variables[chosen]; refresh(); }));
  return { node: el("div", {}, canvas, div("row", ...choices)), mark, refresh };
}

// Samples by seed; one that is pressed is taken, and a walk goes from one to the next.
function sampleGrid(size, place, decode, put) {
  const COUNT = 12;
  let seed = 0, position = -1, playing = false;
  const tiles = Array.from({ length: COUNT }, () => el("canvas"));
  const refresh = coalesce(async () => {
    for (const [i, tile] of tiles.entries()) {
      paint(tile, await decode(place(normal(seed + i, size))));
    }
  });
  const turn = (to) => {
    seed = Math.max(0, Math.floor(to) || 0);
    field.value = seed;
    refresh();
  };
  const field = el("input", { type: "number", min: 0, step: 1, value: 0,
    onchange: () => turn(Number(field.value)) });
  const walk = (to) => {  // on a circle through both: as normal as they are
    position = to % COUNT;
    const at = seed + Math.floor(position);
    const [a, b] = [normal(at, size), normal(at + 1, size)];
    const [p, q] = [Math.cos, Math.sin].map((part) => part(position % 1 * Math.PI / 2));
    way.set(position);
    put(place(a.map((value, i) => p * value + q * b[i])));
  };
  const way = slider("from sample to sample", { min: 0, max: COUNT - 0.01 }, walk);
  const another = () => walk(Math.floor(position) + 1);
  const play = button("Walk", async () => {
    playing = !playing;
    play.ariaPressed = String(playing);
    while (playing && play.isConnected) {
      walk(Math.max(0, position) + 0.02);
      await new Promise(requestAnimationFrame);
    }
  });
  const node = section("Samples", "wide", div("row", el("label", {}, "Seed ", field),
    button("Previous", () => turn(seed - COUNT)), button("Next", () => turn(seed + COUNT)), play),
  way.node, div("grid", ...tiles.map((tile, i) => el("button", { type: "button",
    className: "thumbnail", ariaLabel: `sample ${i + 1}`, onclick: () => walk(i) }, tile))));
  return { node, refresh, another };
}
