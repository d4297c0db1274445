// Runs exported models in the browser. Files, names and texts come from models.json.

import {
  answer, download, inTurn, judge, map, readExamples, startRuntime, state,
} from "./runtime.js";
import { makeView, refreshAll } from "./views.js";
import { byId, div, el, fail, select } from "./widgets.js";

const filesOf = (model) => model.files.filter(({ format }) => format === state.runtime.kind);

// Opens a file and compares it with Keras. One that WebGPU does not run, or not well enough,
// runs on the CPU.
async function openFile(model, file) {
  const examples = await readExamples(model);
  let session = null, agreement = null;
  try {
    session = await state.runtime.open(file, model);
    agreement = judge(file, examples, await answer(session, examples));
    if (state.gpu && !agreement.ok) throw new Error(agreement.text);
  } catch (error) {
    if (!state.gpu) throw error;
    session?.close();
    await restart(false);
    await openFile(model, file);
    byId("agreement").append(` (on the CPU; WebGPU: ${error.message ?? error})`);
    return examples;
  }
  state.session?.close();
  Object.assign(state, { model, file, session, times: [] });
  byId("agreement").className = agreement.ok ? "good" : "bad";
  byId("agreement").textContent = agreement.text;
  return examples;
}

async function restart(gpu) {
  state.session?.close();
  state.session = null;
  state.runtime.stop();
  state.gpu = gpu;
  state.runtime = await startRuntime(state.config.runtimes);
}

const showModel = (model) => inTurn(async () => {
  const [file] = filesOf(model);
  const { kind, name } = state.runtime;
  if (!file) throw new Error(`${model.name} has no .${kind} file, which ${name} would run`);
  byId("title").textContent = document.title = model.name;
  byId("description").textContent = model.description;
  byId("licence").textContent = model.licence ? `Data: ${model.licence}` : "";
  for (const node of byId("models").children) node.ariaCurrent = node.value === model.name;
  state.parts = makeView(model, await openFile(model, file));
  byId("view").replaceChildren(...state.parts.map(({ node }) => node));
  showControls();
  refreshAll(state.parts);
});

function showControls() {
  const files = filesOf(state.model);
  const reopen = (file, before) => inTurn(async () => {
    await before?.();
    await openFile(state.model, file);
    showControls();
    refreshAll(state.parts);
  }).catch(fail);
  const nodes = [select("File", files.map(({ quantization, size_bytes: bytes }) =>
    `${quantization}, ${(bytes / 1e6).toFixed(2)} MB`), files.indexOf(state.file),
  (i) => reopen(files[i]))];
  const counts = [1, 2, 4, 8].filter((count) => count <= state.runtime.threads);
  if (counts.length > 1) {
    nodes.push(select("Threads", counts, counts.indexOf(state.threads),
      (i) => { state.threads = counts[i]; reopen(state.file); }));
  }
  if (state.hasGpu) {
    nodes.push(select("On", ["CPU", "GPU (WebGPU)"], Number(state.gpu),
      (i) => reopen(state.file, () => restart(i === 1))));
  }
  byId("controls").replaceChildren(div("row", ...nodes));
}

function showTimes() {
  const { times, runtime, threads, gpu, session } = state;
  if (!session || !times.length) return;
  const median = [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
  const place = gpu ? "WebGPU" : `${threads} thread${threads > 1 ? "s" : ""}`;
  const why = self.crossOriginIsolated ? "" : " (more need a host that sends COOP and COEP)";
  byId("engine").textContent =
    `${runtime.name} ${runtime.version} · ${place}${why} · ${median.toFixed(2)} ms a frame`;
}

async function main() {
  state.config = JSON.parse(new TextDecoder().decode(await download("web/models.json")));
  state.runtime = await startRuntime(state.config.runtimes);
  const { models } = state.config;
  if (models.length > 1) {
    byId("models").append(...models.map(({ name }) => el("button", { type: "button", value: name,
      onclick: () => { location.hash = encodeURIComponent(name); } }, name)));
  }
  const named = () => decodeURIComponent(location.hash.slice(1));
  const chosen = () => models.find(({ name }) => name === named()) ?? models[0];
  addEventListener("hashchange", () => showModel(chosen()).catch(fail));
  setInterval(showTimes, 500);
  await showModel(chosen());
}

const toText = ({ buffer, byteOffset, byteLength }) => btoa(Array.from(
  new Uint8Array(buffer, byteOffset, byteLength), (byte) => String.fromCharCode(byte)).join(""));

// What `tfgen check --web` and benchmarks ask the page for.
window.tfgen = {
  ready: main().catch((error) => {
    const text = `The models cannot be run here: ${error.message ?? error}`;
    byId("view").replaceChildren(el("p", { className: "bad" }, text));
    throw error;
  }),
  onGpu: () => Boolean(state.gpu),
  answers: (path, threads = 1, seconds = 0) => inTurn(async () => {
    const model = state.config.models.find(({ files }) => files.some((file) => file.path === path));
    const file = model.files.find((one) => one.path === path);
    state.threads = threads;
    const session = await state.runtime.open(file, model);
    const examples = await readExamples(model);
    const all = [];
    const stop = performance.now() + 1000 * seconds;
    do all.push(await answer(session, examples)); while (performance.now() < stop);
    const { endpoints: names } = session;
    session.close();
    const { name, version } = state.runtime;
    const encode = ([output, { data, shape }]) =>
      [output, { shape, type: data.constructor.name, data: toText(data) }];
    return {
      runtime: `${name} ${version}`, names,
      endpoints: map(all[0].answers, ([endpoint, rows]) =>
        [endpoint, rows.map((outputs) => map(outputs, encode))]),
      times: map(all[0].times, ([endpoint]) =>
        [endpoint, all.flatMap(({ times }) => times[endpoint])]),
    };
  }),
};
