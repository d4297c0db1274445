// What the page is made of. Text is always a text node, never markup.

import { row } from "./runtime.js";

export const byId = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const div = (className, ...children) => el("div", { className }, ...children);
export const hint = (text) => el("p", { className: "hint" }, text);
export const button = (text, onclick) => el("button", { type: "button", onclick }, text);
export const section = (title, className, ...children) =>
  el("section", { className }, el("h2", {}, title), ...children);

export function select(label, options, value, onchange) {
  const list = el("select", { onchange: () => onchange(Number(list.value)) },
    ...options.map((text, i) => el("option", { value: i }, text)));
  list.value = value;
  return el("label", {}, label, " ", list);
}

export function slider(text, { min, max, value = 0, step = 0.01 }, oninput) {
  const shown = el("output");
  const input = el("input", { type: "range", min, max, step,
    oninput: () => { set(input.value); oninput(Number(input.value)); } });
  const set = (number) => {
    input.value = number;
    shown.textContent = Number(number).toFixed(2);
  };
  set(value);
  return { set, node: el("label", { className: "slider" }, el("span", {}, text), shown, input) };
}

export function fail(error) {
  byId("agreement").className = "bad";
  byId("agreement").textContent = error.message ?? String(error);
}

// Calls `work` once more after it ended if it was asked for in the meantime.
export function coalesce(work) {
  let busy = false, again = false;
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again) {
        again = false;
        await work();
        await pause();
      }
    } catch (error) { fail(error); } finally { busy = false; }
  };
}

export const pause = () => new Promise((resolve) => { setTimeout(resolve, 0); });

// ---- Pictures: arrays of one image (height, width, channels) in [0, 1] -----------------

export const picture = (label, attributes = {}) =>
  el("canvas", { className: "picture", role: "img", "aria-label": label, ...attributes });

export function paint(canvas, { data, shape }) {
  const [height, width, channels] = shape.slice(-3);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) {  // ImageData rounds and clips
      pixels.data[4 * i + c] = 255 * data[i * channels + (channels < 3 ? 0 : c)];
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function read(canvas, channels) {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const data = new Float32Array(width * height * channels);
  for (let i = 0; i < width * height; i += 1) {
    const [r, g, b] = pixels.subarray(4 * i, 4 * i + 3);
    data.set(channels === 1 ? [(0.299 * r + 0.587 * g + 0.114 * b) / 255]
      : [r / 255, g / 255, b / 255], channels * i);
  }
  return { data, shape: [height, width, channels] };
}

// Calls `follow` with where the pointer is, as parts of the canvas, while it is pressed.
export function onDrag(canvas, follow, begin = () => {}) {
  const place = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    begin(...place(event));
    follow(...place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) follow(...place(event));
  });
}

// A picture to draw with a pen, to drop or choose a file, to take an example or the webcam.
export function imageInput([height, width, channels], examples, onchange, large = false) {
  const canvas = picture("input picture: draw here, drop a file, or use the buttons below",
    { width, height, className: "picture pad" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const isDark = examples && row(examples, 0)[0] < 0.5;
  const [paper, ink] = isDark ? ["#000", "#fff"] : ["#fff", "#000"];
  let last = [0, 0], stream = null;
  const resize = (w, h) => {
    Object.assign(canvas, { width: w, height: h });
    canvas.classList.toggle("photo", w > 2 * width || h > 2 * height);
    context.fillStyle = paper;
    context.fillRect(0, 0, w, h);
  };
  const show = (source, w, h, whole = large) => {  // else its middle, at the model's size
    const shrink = Math.min(1, 1024 / Math.max(w, h));
    const fit = (length, least) => Math.max(least, Math.round(length * shrink));
    if (whole) resize(fit(w, width), fit(h, height)); else resize(width, height);
    const scale = Math.max(canvas.width / w, canvas.height / h);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, (canvas.width - w * scale) / 2, (canvas.height - h * scale) / 2,
      w * scale, h * scale);
    onchange();
  };
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
  };
  const load = async (file) => {
    stop();
    try {
      const bitmap = await createImageBitmap(file);
      show(bitmap, bitmap.width, bitmap.height);
    } catch { fail(new Error(`${file.name} is not a picture that this browser reads`)); }
  };
  const film = async () => {
    if (stream) { stop(); return; }
    try {
      const mine = stream = await navigator.mediaDevices.getUserMedia({ video: true });
      const player = el("video", { srcObject: mine, muted: true, playsInline: true });
      await player.play();
      const step = () => {
        if (!canvas.isConnected) stop();
        if (stream !== mine) return;
        show(player, player.videoWidth, player.videoHeight, false);
        requestAnimationFrame(step);
      };
      step();
    } catch (error) { fail(new Error(`no webcam: ${error.message}`)); }
  };
  onDrag(canvas, (x, y) => {
    const to = [x * canvas.width, y * canvas.height];
    const lineWidth = Math.max(1.5, canvas.width / (channels === 1 ? 12 : 40));
    Object.assign(context, { strokeStyle: ink, lineCap: "round", lineWidth });
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...to);
    context.stroke();
    last = to;
    onchange();
  }, (x, y) => { last = [x * canvas.width, y * canvas.height]; });
  const take = (index) => {
    stop();
    if (examples) {
      resize(width, height);
      paint(canvas, { data: row(examples, index % examples.shape[0]), shape: examples.shape });
    } else resize(width, height);
    onchange();
  };
  const thumbnails = Array.from({ length: examples?.shape[0] ?? 0 }, (_, i) => {
    const thumb = el("canvas", { className: "thumb" });
    paint(thumb, { data: row(examples, i), shape: examples.shape });
    return el("button", { type: "button", className: "thumbnail",
      "aria-label": `example ${i + 1}`, onclick: () => take(i) }, thumb);
  });
  const chooser = el("input", { type: "file", accept: "image/*",
    onchange: () => { if (chooser.files[0]) load(chooser.files[0]); } });
  const node = el("div", {
    ondragover: (event) => { event.preventDefault(); node.classList.add("over"); },
    ondragleave: () => node.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      node.classList.remove("over");
      if (event.dataTransfer.files[0]) load(event.dataTransfer.files[0]);
    },
  }, canvas, div("row",
    button("Clear", () => { stop(); resize(width, height); onchange(); }),
    el("label", { className: "file" }, "Open a picture", chooser), button("Webcam", film)),
  div("row", ...thumbnails));
  return { node, canvas, take, value: () => read(canvas, channels) };
}
