// Runs exported models in the browser. Files, names and texts come from models.json.

import {
  agreementText, answer, compare, download, readExamples, row, settings, startRuntime,
} from "./runtime.js";

const state = { times: [] };
const byId = (id) => document.getElementById(id);

// ---- Elements: text is always a text node, never markup ------------------------------

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const button = (text, onclick) => el("button", { type: "button", onclick }, text);

function select(label, options, value, onchange) {
  const list = el("select", { onchange: () => onchange(list.value) });
  for (const [key, text] of options) list.append(el("option", { value: key }, text));
  list.value = value;
  return el("label", {}, label, " ", list);
}

function slider(text, { min, max, value = 0, step = 0.01 }, oninput) {
  const shown = el("output", {}, value.toFixed(2));
  const input = el("input", { type: "range", min, max, step, value });
  const show = () => { shown.textContent = Number(input.value).toFixed(2); };
  input.addEventListener("input", () => { show(); oninput(Number(input.value)); });
  const node = el("label", { className: "slider" }, el("span", {}, text), shown, input);
  return { node, set: (number) => { input.value = number; show(); } };
}

// One run at a time; what it took is kept for the page's foot.
let queue = Promise.resolve();
function run(endpoint, inputs, session = state.session) {
  const next = queue.then(async () => {
    const start = performance.now();
    const outputs = await session.run(endpoint, inputs);
    state.times = [...state.times.slice(-29), performance.now() - start];
    return outputs;
  });
  queue = next.catch(() => {});
  return next;
}

// Calls `work` again after it ended if it was asked for in the meantime, once.
function coalesce(work) {
  let busy = false, again = false;
  return async function request() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      do { again = false; await work(); await frame(); } while (again);
    } catch (error) {
      fail(error);
    } finally { busy = false; }
  };
}
const frame = () => new Promise((resolve) => { setTimeout(resolve, 0); });

// ---- Pictures: arrays of one image (height, width, channels) in [0, 1] ----------------

function paint(canvas, { data, shape }) {
  const [height, width, channels] = shape.slice(-3);
  if (canvas.width !== width || canvas.height !== height) {
    Object.assign(canvas, { width, height });
  }
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      const value = data[i * channels + (channels < 3 ? 0 : c)];
      pixels.data[4 * i + c] = Math.round(255 * Math.min(1, Math.max(0, value)));
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function read(canvas, channels) {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d", { willReadFrequently: true })
    .getImageData(0, 0, width, height).data;
  const data = new Float32Array(width * height * channels);
  for (let i = 0; i < width * height; i += 1) {
    const [r, g, b] = pixels.subarray(4 * i, 4 * i + 3);
    if (channels === 1) data[i] = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
    else [r, g, b].forEach((value, c) => { data[channels * i + c] = value / 255; });
  }
  return { data, shape: [height, width, channels] };
}

// Draw with a pen, drop or choose a file, take an example, or the webcam.
function imageInput([height, width, channels], examples, onchange, { large = false } = {}) {
  const canvas = el("canvas", {
    width, height, className: "picture pad", role: "img",
    "aria-label": "input picture: draw here, drop a file, or use the buttons below",
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const corner = examples ? row(examples, 0)[0] : 1;
  const [paper, ink] = corner < 0.5 ? ["#000", "#fff"] : ["#fff", "#000"];
  let last = null, video = null;
  const resize = (w, h) => {
    Object.assign(canvas, { width: w, height: h });
    canvas.classList.toggle("photo", w > 2 * width || h > 2 * height);
  };
  const clear = () => {
    resize(width, height);
    context.fillStyle = paper;
    context.fillRect(0, 0, width, height);
    onchange();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top]
      .map((value) => value * canvas.width / box.width);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const [x, y] = place(event);
    Object.assign(context, { strokeStyle: ink, lineCap: "round" });
    context.lineWidth = Math.max(1.5, canvas.width / (channels === 1 ? 12 : 40));
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(x, y);
    context.stroke();
    last = [x, y];
    onchange();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => { last = null; });
  }
  const show = (source, sourceWidth, sourceHeight) => {
    if (large) {
      const scale = Math.min(1, 1024 / Math.max(sourceWidth, sourceHeight));
      const fit = (length, least) => Math.max(least, Math.round(length * scale));
      resize(fit(sourceWidth, width), fit(sourceHeight, height));
      context.drawImage(source, 0, 0, canvas.width, canvas.height);
    } else {
      resize(width, height);
      const scale = Math.max(width / sourceWidth, height / sourceHeight);
      const [w, h] = [sourceWidth * scale, sourceHeight * scale];
      context.fillStyle = paper;
      context.fillRect(0, 0, width, height);
      context.imageSmoothingQuality = "high";
      context.drawImage(source, (width - w) / 2, (height - h) / 2, w, h);
    }
    onchange();
  };
  const load = async (file) => {
    try {
      const bitmap = await createImageBitmap(file);
      show(bitmap, bitmap.width, bitmap.height);
    } catch {
      fail(new Error(`${file.name} is not a picture that this browser reads`));
    }
  };
  const stop = () => {
    video?.srcObject.getTracks().forEach((track) => track.stop());
    video = null;
  };
  const film = async () => {
    if (video) { stop(); return; }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: true });
      const player = el("video", { srcObject: stream, muted: true, playsInline: true });
      video = player;
      await player.play();
      const step = () => {
        if (video !== player || !canvas.isConnected) { stop(); return; }
        show(player, player.videoWidth, player.videoHeight);
        requestAnimationFrame(step);
      };
      step();
    } catch (error) { fail(new Error(`no webcam: ${error.message}`)); }
  };
  const chooser = el("input", {
    type: "file", accept: "image/*",
    onchange: () => { if (chooser.files[0]) load(chooser.files[0]); },
  });
  const row1 = el("div", { className: "row" }, button("Clear", clear),
    el("label", { className: "file" }, "Open a picture", chooser), button("Webcam", film));
  const row2 = el("div", { className: "row" });
  const take = (index) => {
    stop();
    paint(canvas, { data: row(examples, index), shape: examples.shape });
    canvas.classList.remove("photo");
    onchange();
  };
  for (let i = 0; examples && i < examples.shape[0]; i += 1) {
    const thumb = el("canvas", { className: "thumb" });
    paint(thumb, { data: row(examples, i), shape: examples.shape });
    row2.append(el("button", {
      type: "button", className: "thumbnail", "aria-label": `example ${i + 1}`,
      onclick: () => take(i),
    }, thumb));
  }
  const node = el("div", {
    ondragover: (event) => { event.preventDefault(); node.classList.add("over"); },
    ondragleave: () => node.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      node.classList.remove("over");
      if (event.dataTransfer.files[0]) load(event.dataTransfer.files[0]);
    },
  }, canvas, row1, row2);
  const begin = (index) => { if (examples) take(index % examples.shape[0]); else clear(); };
  return { node, canvas, begin, value: () => read(canvas, channels) };
}

// ---- Latents --------------------------------------------------------------------------

function seeded(seed) {  // mulberry32, and Box and Muller's normal variables
  let a = seed >>> 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

const sample = (seed, size) => Float32Array.from({ length: size }, seeded(seed));

const lerp = (a, b, t) => a.map((value, i) => value + t * (b[i] - value));

function slerp(a, b, t) {  // as tfgen's: the great circle, lengths on the line
  const norm = (v) => Math.hypot(...v);
  const dot = a.reduce((sum, value, i) => sum + value * b[i], 0) / (norm(a) * norm(b));
  const angle = Math.acos(Math.min(1, Math.max(-1, dot)));
  if (Math.sin(angle) < 1e-6) return lerp(a, b, t);
  const [p, q] = [Math.sin((1 - t) * angle), Math.sin(t * angle)];
  const length = norm(a) + t * (norm(b) - norm(a));
  return a.map((value, i) => length / Math.sin(angle)
    * (p * value / norm(a) + q * b[i] / norm(b)));
}

function labelPicker(model, endpoint, onchange) {
  if (!model.endpoints[endpoint].inputs.labels) return { inputs: () => ({}), nodes: [] };
  let label = 0;
  const names = model.page.classes ?? ["0", "1"];
  const choices = names.map((name, i) => [String(i), name]);
  const node = select("Class", choices, "0", (value) => { label = Number(value); onchange(); });
  return { inputs: () => ({ labels: [label] }), nodes: [node] };
}

const section = (title, ...children) => el("section", {}, el("h2", {}, title), ...children);

function latentView(model, examples) {
  const [, size] = model.endpoints.decode.inputs.latents.shape;
  const plain = Array.from({ length: size }, (_, i) => ({ index: i, label: `latent ${i}` }));
  const variables = (model.page.latents ?? plain)
    .map((variable) => ({ centre: 0, spread: 1, ...variable }));
  const base = new Float32Array(size);
  for (const { index, centre } of variables) base[index] = centre;
  const latents = base.slice();
  const weights = (model.page.directions ?? []).map(() => 0);
  const moved = () => latents.map((value, i) => weights.reduce(
    (sum, weight, d) => sum + weight * model.page.directions[d].vector[i], value));
  const canvas = el("canvas", { className: "picture", id: "output", role: "img", "aria-label": "decoded picture" });
  const decode = async (vector) => (await run("decode", { latents: vector, ...labels.inputs() })).images;
  const draw = coalesce(async () => paint(canvas, await decode(moved())));
  const labels = labelPicker(model, "decode", () => { draw(); map.request(); });
  const sliders = variables.map(({ index, label, centre, spread }) => Object.assign(
    slider(label, { min: centre - 3 * spread, max: centre + 3 * spread, value: centre,
      step: spread / 50 || 0.01 },
    (value) => { latents[index] = value; map.mark(); draw(); }), { index }));
  const show = () => {
    sliders.forEach(({ set, index }) => set(latents[index]));
    map.mark();
    draw();
  };
  const put = (vector) => { latents.set(vector); show(); };
  const map = latentMap(variables, latents, decode, show);
  let seed = 0;
  const another = () => {
    seed += 1;
    const noise = sample(seed, size);
    variables.forEach(({ index, centre, spread }) => {
      latents[index] = centre + spread * noise[index];
    });
    show();
  };
  const parts = [
    section("Decoded", canvas, el("div", { className: "row" }, button("Another sample", another),
      button("Centre", () => put(base)), ...labels.nodes)),
    section("Latent variables", el("p", { className: "hint" }, model.page.latents
      ? "The one that matters most is first; three standard deviations each way." : ""),
    el("div", { className: "sliders" }, ...sliders.map(({ node }) => node))),
    section("Map of two", map.node),
  ];
  if (weights.length) {
    const ways = model.page.directions.map(({ label }, d) => slider(label,
      { min: -1.5, max: 1.5 }, (value) => { weights[d] = value; draw(); }).node);
    const attributes = section("Attributes", el("div", { className: "sliders columns" }, ...ways));
    attributes.className = "wide";
    parts.push(attributes);
  }
  if (model.endpoints.encode) parts.push(...imageSections(model, examples, put, decode, labels));
  byId("view").replaceChildren(...parts);
  state.refresh = () => { draw(); map.request(); };
  state.refresh();
}

function latentMap(variables, latents, decode, onmove) {
  const CELLS = 9, SIDE = 360;
  let [across, down] = [variables[0], variables[1] ?? variables[0]];
  const canvas = el("canvas", { className: "map", width: SIDE, height: SIDE, tabIndex: 0,
    role: "application", "aria-label": "map of two latent variables: drag, or use the arrow keys" });
  const context = canvas.getContext("2d");
  const paper = el("canvas", { width: SIDE, height: SIDE });
  const value = ({ centre, spread }, part) => centre + spread * (6 * part - 3);
  const part = ({ index, centre, spread }) => ((latents[index] - centre) / (spread || 1) + 3) / 6;
  const mark = () => {
    context.drawImage(paper, 0, 0);
    Object.assign(context, { strokeStyle: "#e5484d", lineWidth: 3 });
    context.beginPath();
    context.arc(part(across) * SIDE, part(down) * SIDE, 9, 0, 7);
    context.stroke();
  };
  const request = coalesce(async () => {
    const cell = el("canvas");
    for (let i = 0; i < CELLS * CELLS && canvas.isConnected; i += 1) {
      const [x, y] = [i % CELLS, Math.floor(i / CELLS)];
      const vector = latents.slice();
      vector[across.index] = value(across, (x + 0.5) / CELLS);
      vector[down.index] = value(down, (y + 0.5) / CELLS);
      paint(cell, await decode(vector));
      const side = SIDE / CELLS;
      paper.getContext("2d").drawImage(cell, x * side, y * side, side, side);
      if (x === CELLS - 1) mark();
    }
  });
  const go = (x, y) => {
    const clip = (number) => Math.min(1, Math.max(0, number));
    latents[across.index] = value(across, clip(x));
    latents[down.index] = value(down, clip(y));
    onmove();
  };
  const follow = (event) => {
    const box = canvas.getBoundingClientRect();
    go((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    follow(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  canvas.addEventListener("pointerup", request);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    go(part(across) + step[0] / 60, part(down) + step[1] / 60);
  });
  const options = variables.map(({ label }, i) => [String(i), label]);
  const choose = (text, at, set) => select(text, options, String(at),
    (chosen) => { set(variables[Number(chosen)]); request(); });
  const node = el("div", {}, canvas, el("div", { className: "row" },
    choose("Across", 0, (v) => { across = v; }), choose("Down", options.length > 1 ? 1 : 0, (v) => { down = v; })));
  return { node, mark, request };
}

function imageSections(model, examples, put, decode, labels) {
  const shape = model.endpoints.encode.inputs.images.shape.slice(1);
  const held = examples.encode?.inputs.images;
  const encode = async (image) => {
    const outputs = await run("encode", { images: image.data, ...labels.inputs() });
    return (outputs.mean ?? outputs.latents).data;
  };
  const rebuilt = el("canvas", { className: "picture", role: "img", "aria-label": "reconstruction" });
  const code = el("p", { className: "hint" });
  let current = null;
  const one = imageInput(shape, held, coalesce(async () => {
    current = await encode(one.value());
    code.textContent = `code: ${[...current].map((value) => value.toFixed(1)).join(" ")}`;
    paint(rebuilt, await decode(current));
  }));
  const between = el("canvas", { className: "picture", role: "img", "aria-label": "between two pictures" });
  let t = 0.5;
  const walk = coalesce(async () => {
    const [a, b] = [await encode(first.value()), await encode(second.value())];
    paint(between, await decode(lerp(a, b, t)));
  });
  const first = imageInput(shape, held, walk);
  const second = imageInput(shape, held, walk);
  const way = slider("from the first to the second", { min: 0, max: 1, value: t },
    (value) => { t = value; walk(); });
  one.begin(0);
  first.begin(1);
  second.begin(2);
  const wide = (node) => { node.className = "wide"; return node; };
  return [
    wide(section("Your picture and its reconstruction", el("div", { className: "pair" }, one.node,
      el("div", {}, rebuilt, el("div", { className: "row" },
        button("Use its code above", () => current && put(current))), code)))),
    wide(section("Two pictures and the way between", el("div", { className: "pair" }, first.node,
      el("div", {}, between, way.node), second.node))),
  ];
}

function ganView(model) {
  const [, size] = model.endpoints.generate.inputs.latents.shape;
  const generate = async (latents) => (await run("generate", { latents, ...labels.inputs() })).images;
  let seed = 0, position = 0, playing = false;
  const canvas = el("canvas", { className: "picture", id: "output", role: "img", "aria-label": "drawn picture" });
  const tiles = Array.from({ length: 12 }, () => el("canvas", { role: "img", "aria-label": "sample" }));
  const field = el("input", { type: "number", min: 0, step: 1, value: 0,
    onchange: () => { seed = Math.max(0, Math.floor(Number(field.value)) || 0); renew(); } });
  const renew = coalesce(async () => {
    for (const [i, tile] of tiles.entries()) paint(tile, await generate(sample(seed + i, size)));
    if (!playing) { position = 0; await walk(); }
  });
  const walk = async () => {
    const at = seed + Math.floor(position);
    const latents = slerp(sample(at, size), sample(at + 1, size), position % 1);
    paint(canvas, await generate(latents));
    way.set(position % 12);
  };
  const walkOnce = coalesce(walk);
  const labels = labelPicker(model, "generate", () => renew());
  const way = slider("from sample to sample", { min: 0, max: 12 },
    (value) => { position = value; walkOnce(); });
  const play = el("button", { type: "button", "aria-pressed": "false", onclick: async () => {
    playing = !playing;
    play.setAttribute("aria-pressed", String(playing));
    while (playing && canvas.isConnected) {
      position = (position + 0.02) % 12;
      await walk();
      await new Promise(requestAnimationFrame);
    }
  } }, "Walk");
  const turn = (step) => () => { seed = Math.max(0, seed + step); field.value = seed; renew(); };
  byId("view").replaceChildren(
    section("A walk", canvas, el("div", { className: "row" }, play, ...labels.nodes), way.node),
    section("Samples", el("div", { className: "row" }, el("label", {}, "Seed ", field),
      button("Previous", turn(-12)), button("Next", turn(12))),
    el("div", { className: "grid" }, ...tiles)),
  );
  state.refresh = renew;
  renew();
}

// ---- Translation ----------------------------------------------------------------------

// A picture of any size, in tiles that overlap by half and are blended linearly.
async function translateTiled(translate, { data, shape }, [height, width, channels]) {
  const [rows, columns] = shape;
  if (rows === height && columns === width) return translate({ data, shape });
  const starts = (length, tile) => {
    const count = Math.max(1, Math.ceil((length - tile) / (tile / 2)) + 1);
    return Array.from({ length: count }, (_, i) => Math.round(i * (length - tile) / Math.max(1, count - 1)));
  };
  const ramp = (i, length) => Math.min(i + 0.5, length - i - 0.5);
  let sum = null, outChannels = 0;
  const total = new Float32Array(rows * columns);
  for (const top of starts(rows, height)) {
    for (const left of starts(columns, width)) {
      const tile = new Float32Array(height * width * channels);
      for (let y = 0; y < height; y += 1) {
        const from = ((top + y) * columns + left) * channels;
        tile.set(data.subarray(from, from + width * channels), y * width * channels);
      }
      const out = await translate({ data: tile, shape: [height, width, channels] });
      outChannels = out.shape.at(-1);
      sum ??= new Float32Array(rows * columns * outChannels);
      for (let i = 0; i < height * width; i += 1) {
        const [y, x] = [Math.floor(i / width), i % width];
        const weight = ramp(y, height) * ramp(x, width);
        const to = (top + y) * columns + left + x;
        total[to] += weight;
        for (let c = 0; c < outChannels; c += 1) sum[to * outChannels + c] += weight * out.data[i * outChannels + c];
      }
      await frame();
    }
  }
  return { data: sum.map((value, i) => value / total[Math.floor(i / outChannels)]), shape: [rows, columns, outChannels] };
}

function translationView(model, examples) {
  const endpoints = Object.keys(model.endpoints).filter((name) => name.startsWith("translate") && state.session.endpoints.includes(name));
  const redraws = [];
  const titles = { translate: "Translate", translate_ab: "A to B", translate_ba: "B to A" };
  const sections = endpoints.map((endpoint) => {
    const [shape, result] = ["inputs", "outputs"].map((kind) => model.endpoints[endpoint][kind].images.shape.slice(1));
    const held = examples[endpoint]?.inputs;
    const extra = held?.noise ? { noise: row(held.noise, 0) } : {};
    const output = el("canvas", { className: "picture", id: `output-${endpoint}`, role: "img", "aria-label": "translated picture", width: result[1], height: result[0] });
    const translate = async (image) => (await run(endpoint, { images: image.data, ...extra })).images;
    const renew = coalesce(async () => {
      const picture = await translateTiled(translate, input.value(), shape);
      paint(output, picture);
      output.classList.toggle("photo", input.canvas.classList.contains("photo"));
    });
    const input = imageInput(shape, held?.images, renew, { large: model.page.tiled !== false });
    input.begin(0);
    redraws.push(renew);
    const node = section(titles[endpoint] ?? endpoint, el("p", { className: "hint" },
      `Draw, or drop a picture: of more than ${shape[1]}×${shape[0]} pixels it is translated in tiles.`),
    el("div", { className: "pair" }, input.node, el("div", {}, output)));
    node.className = "wide";
    return node;
  });
  state.refresh = () => redraws.forEach((redraw) => redraw());
  byId("view").replaceChildren(...sections);
}

// ---- The page -------------------------------------------------------------------------

function fail(error) {
  const place = byId("agreement");
  place.className = "bad";
  place.textContent = error.message ?? String(error);
}

async function openFile(file) {
  state.session?.close();
  state.session = null;
  state.session = await state.runtime.open(file, state.model);
  state.file = file;
  state.times = [];
  const examples = file.parts
    ? Object.assign({}, ...await Promise.all(file.parts.map((part) => readExamples(part.golden))))
    : await readExamples(file.golden);
  const agreement = agreementText(file, compare(examples, await answer(state.session, examples)));
  byId("agreement").className = agreement.ok ? "good" : "bad";
  byId("agreement").textContent = agreement.text;
  return examples;
}

function view(model, examples) {
  if (model.endpoints.decode) latentView(model, examples);
  else if (model.endpoints.generate) ganView(model);
  else if (Object.keys(model.endpoints).some((name) => name.startsWith("translate"))) translationView(model, examples);
  else byId("view").replaceChildren(el("p", {}, "This page has no controls for this model's endpoints; its examples are compared below."));
}

const filesOf = (model) => model.files.filter(({ format }) => format === state.runtime.kind);

async function showModel(model) {
  state.model = model;
  state.refresh = null;
  byId("title").textContent = model.name;
  document.title = model.name;
  byId("description").textContent = model.description;
  byId("licence").textContent = model.licence ? `Data: ${model.licence}` : "";
  for (const node of byId("models").children) node.setAttribute("aria-current", String(node.value === model.name));
  const files = filesOf(model);
  if (!files.length) throw new Error(`${model.name} has no .${state.runtime.kind} file, which ${state.runtime.name} would run`);
  showControls(files);
  view(model, await openFile(files[0]));
}

function showControls(files) {
  const open = (file) => guarded(async () => { await openFile(file); state.refresh?.(); });
  const sizes = files.map(({ quantization, size_bytes: bytes }, i) => [String(i), `${quantization}, ${(bytes / 1e6).toFixed(2)} MB`]);
  const counts = [1, 2, 4, 8].filter((count) => count <= state.runtime.threads).map((count) => [String(count), String(count)]);
  const nodes = [select("File", sizes, "0", (i) => open(files[Number(i)]))];
  if (counts.length > 1) nodes.push(select("Threads", counts, String(settings.threads), (count) => { settings.threads = Number(count); open(state.file); }));
  if (state.runtime.kind === "tflite" && navigator.gpu && "Suspending" in WebAssembly) {
    nodes.push(select("On", [["cpu", "CPU"], ["gpu", "GPU (WebGPU)"]], settings.gpu ? "gpu" : "cpu", (place) => guarded(() => restart(place === "gpu"))));
  }
  byId("controls").replaceChildren(el("div", { className: "row" }, ...nodes));
}

async function restart(gpu) {
  state.session?.close();
  state.session = null;
  state.runtime.unload();
  settings.gpu = gpu;
  state.runtime = await startRuntime(state.config.runtimes);
  await showModel(state.model);
}

// Work that changes the session waits for the runs before it.
async function guarded(work) {
  await queue;
  try { await work(); } catch (error) { fail(error); }
}

function showTimes() {
  if (!state.session) return;
  const median = [...state.times].sort((a, b) => a - b)[Math.floor(state.times.length / 2)] ?? NaN;
  const { name, version } = state.runtime;
  const place = settings.gpu ? "WebGPU" : `${settings.threads} thread${settings.threads > 1 ? "s" : ""}`;
  const why = self.crossOriginIsolated ? "" : " (more need a host that sends COOP and COEP)";
  byId("engine").textContent = `${name} ${version} · ${place}${why} · ${median.toFixed(2)} ms a frame`;
}

async function main() {
  state.config = JSON.parse(new TextDecoder().decode(await download("web/models.json")));
  state.runtime = await startRuntime(state.config.runtimes);
  const { models } = state.config;
  if (models.length > 1) {
    byId("models").append(...models.map((model) => el("button", { type: "button", value: model.name,
      onclick: () => { location.hash = encodeURIComponent(model.name); } }, model.name)));
  }
  const chosen = () => models.find(({ name }) => name === decodeURIComponent(location.hash.slice(1))) ?? models[0];
  addEventListener("hashchange", () => guarded(() => showModel(chosen())));
  setInterval(showTimes, 500);
  await showModel(chosen());
}

// What `tfgen check --web` and benchmarks ask the page for.
const find = (path) => {
  const model = state.config.models.find(({ files }) => files.some((file) => file.path === path));
  return [model, model.files.find((file) => file.path === path)];
};

const toText = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
};

window.tfgen = {
  ready: main().catch((error) => {
    byId("view").replaceChildren(el("p", { className: "bad" }, `The models cannot be run here: ${error.message ?? error}`));
    throw error;
  }),
  async answers(path) {
    const [model, file] = find(path);
    const session = await state.runtime.open(file, model);
    const times = {};
    const answers = await answer(session, await readExamples(file.golden), times);
    const endpoints = {};
    for (const [endpoint, rows] of Object.entries(answers)) {
      endpoints[endpoint] = rows.map((outputs) => Object.fromEntries(Object.entries(outputs)
        .map(([name, { data, shape }]) => [name, { shape, type: data.constructor.name, data: toText(data) }])));
    }
    const { name, version } = state.runtime;
    const names = session.endpoints;
    session.close();
    const fastest = Object.entries(times).map(([key, ms]) => [key, Math.min(...ms)]);
    return { runtime: `${name} ${version}`, names, endpoints, latency_ms: Object.fromEntries(fastest) };
  },
  async benchmark(path, endpoint, threads, seconds) {
    settings.threads = threads;
    const [model, file] = find(path);
    const session = await state.runtime.open(file, model);
    const { inputs } = (await readExamples(file.golden))[endpoint];
    const one = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, row(array, 0)]));
    const times = [];
    for (const stop = performance.now() + 1000 * seconds; performance.now() < stop;) {
      const start = performance.now();
      await session.run(endpoint, one);
      times.push(performance.now() - start);
    }
    session.close();
    return times.slice(Math.min(5, times.length - 1));
  },
};
