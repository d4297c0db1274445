// What the page is made of. Text is always a text node, never markup.

export const byId = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
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
    oninput: () => {
      const before = now;
      set(input.valueAsNumber);
      oninput(now, before);
    } });
  let now = value;
  const set = (number) => {
    now = input.value = number;
    shown.textContent = number.toFixed(2);
  };
  set(value);
  const node = el("label", { className: "slider" }, el("span", {}, text), shown, input);
  return { node, set, value: () => now };
}

export const tell = (textContent, isGood) =>
  Object.assign(byId("agreement"), { textContent, className: isGood ? "good" : "bad" });
export const fail = (error) => tell(error.message ?? error, false);

// Gives the browser a turn where it had none for a while.
let rested = 0;
export async function pause() {
  if (performance.now() - rested < 10) return;
  await new Promise((resolve) => { setTimeout(resolve, 0); });
  rested = performance.now();
}

// Returns a function that does `work`, and once more if it is called in the meantime.
function coalesce(work) {
  let busy = false, again = false;
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again) {
        await pause();
        again = false;
        await work();
      }
    } catch (error) { fail(error); } finally { busy = false; }
  };
}

// ---- Pictures: tensors { data, shape } of one image in [0, 1], channels last -----------

export const picture = (label, attributes = {}) =>
  el("canvas", { className: "picture", role: "img", ariaLabel: label, ...attributes });

// A canvas that `redraw` paints with what `produce` answers.
export const live = (canvas, produce) => Object.assign(canvas, {
  redraw: coalesce(async () => paint(canvas, await produce())),
});

// Returns a function that draws the live pictures within a node, one after the other.
export const redrawing = (node) => coalesce(async () => {
  for (const canvas of node.querySelectorAll("canvas")) await canvas.redraw?.();
});

export const thumbnail = (canvas, label, onclick) =>
  el("button", { type: "button", className: "thumbnail", ariaLabel: label, onclick }, canvas);

function resize(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.classList.toggle("photo", Math.max(width, height) > 160);
}

function paint(canvas, { data, shape }) {
  const [height, width, channels] = shape.slice(-3);
  resize(canvas, width, height);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < 4 * width * height; i += 1) {  // ImageData rounds and clips
    const from = Math.floor(i / 4) * channels + (channels < 3 ? 0 : i % 4);
    pixels.data[i] = i % 4 === 3 ? 255 : 255 * data[from];
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

// Calls `follow` with where a pressed pointer is and was, as parts of the node's size.
export function onDrag(node, follow) {
  let last = null;
  node.onpointerdown = node.onpointermove = ({ type, pointerId, clientX, clientY }) => {
    if (type === "pointerdown") {
      node.setPointerCapture(pointerId);
      last = null;
    }
    if (!node.hasPointerCapture(pointerId)) return;
    const { left, top, width, height } = node.getBoundingClientRect();
    const place = [(clientX - left) / width, (clientY - top) / height];
    follow(place, last ?? place);
    last = place;
  };
}

// A picture to draw with a pen, to drop or choose a file, to take an example or the webcam.
// It begins with one of the examples; a file that is larger stays so where `large`.
export function imageInput(examples, onchange, large, first, page) {
  const thumbs = examples.map((example) => paint(el("canvas", { className: "thumb" }), example));
  const { shape, data: [corner] } = examples[0], [height, width, channels] = shape.slice(-3);
  // A padded picture is fitted into whole pixels, as Pillow does it.
  const [snap, half] = page.resize === "pad" ? [Math.round, (n) => n >> 1] : [Number, (n) => n / 2];
  const [paper, ink] = page.resize === "pad" || corner < 0.5 ? ["#000", "#fff"] : ["#fff", "#000"];
  const canvas = picture("input picture", { className: "picture pad" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const video = el("video", { muted: true, playsInline: true });

  // Shows a picture at the model's size, as in training, or at its own if `whole`.
  const show = (source, w, h, whole = false) => {
    if (source !== video) stop();
    const shrink = Math.min(1, 1024 / Math.max(w, h));
    const fit = (length, least) => (whole ? Math.max(least, Math.round(length * shrink)) : least);
    resize(canvas, fit(w, width), fit(h, height));
    Object.assign(context, { fillStyle: paper, imageSmoothingQuality: "high" });
    context.fillRect(0, 0, canvas.width, canvas.height);
    const [across, down] = [canvas.width / w, canvas.height / h];
    const scale = { crop: Math.max, pad: Math.min }[page.resize ?? "crop"]?.(across, down);
    const [x, y] = [snap(w * (scale ?? across)) || 1, snap(h * (scale ?? down)) || 1];
    if (source) context.drawImage(source, half(canvas.width - x), half(canvas.height - y), x, y);
    onchange();
  };
  const take = (i) => show(thumbs[i % thumbs.length], width, height);
  const load = async (file) => {
    const bitmap = file && await createImageBitmap(file).catch(() => null);
    if (bitmap) show(bitmap, bitmap.width, bitmap.height, large);
    else if (file) fail(`${file.name} is not a picture that this browser reads`);
  };
  const stop = () => {
    video.srcObject?.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  };
  const film = async () => {
    if (video.srcObject) { stop(); return; }
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
      await video.play();
      while (video.srcObject) {
        show(video, video.videoWidth, video.videoHeight);
        await new Promise(requestAnimationFrame);
      }
    } catch (error) { fail(`no webcam: ${error.message}`); }
  };
  onDrag(canvas, (...way) => {
    const lineWidth = Math.max(1.5, canvas.width / (channels === 1 ? 12 : 40));
    Object.assign(context, { strokeStyle: ink, lineCap: "round", lineWidth });
    context.beginPath();
    for (const [x, y] of way) context.lineTo(x * canvas.width, y * canvas.height);
    context.stroke();
    onchange();
  });
  const read = (left = 0, top = 0) => {  // what the model takes, of the picture there
    const pixels = context.getImageData(left, top, width, height).data;
    const grey = (i) => 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
    return Float32Array.from({ length: width * height * channels }, (_, i) =>
      (channels === 1 ? grey(4 * i) : pixels[4 * Math.floor(i / channels) + i % channels]) / 255);
  };

  const chooser = el("input", { type: "file", accept: "image/*",
    onchange: () => load(chooser.files[0]) });
  const drop = (event) => {
    event.preventDefault();
    node.classList.toggle("over", event.type === "dragover");
    load(event.dataTransfer.files[0]);  // none until it is dropped
  };
  const node = el("div", { ondragover: drop, ondragleave: drop, ondrop: drop }, canvas,
    hint(`Draw here, or drop a picture.${page.depth > 8 ? " It is read with 8 bits." : ""}`),
    div("row", button("Clear", () => show(null, width, height)),
      el("label", { className: "file" }, "Open a file", chooser), button("Webcam", film)),
    div("row", ...thumbs.map((thumb, i) => thumbnail(thumb, `example ${i + 1}`, () => take(i)))));
  take(first);
  return { node, canvas, size: [height, width], read };
}
