// Runs exported models in the browser. Files, names and texts come from models.json.

import {
  answer, inTurn, judge, readExamples, readJson, startRuntime, state,
} from "./runtime.js";
import { makeView } from "./views.js";
import { byId, el, fail, redrawing, select } from "./widgets.js";

const filesOf = (model) => model.files.filter(({ format }) => format === state.runtime.kind);

// Opens a file and compares it with Keras. One that WebGPU does not run, or not well enough,
// runs on the CPU.
async function openFile(model, file, onGpu = state.runtime.gpu) {
  try {
    if (onGpu !== state.runtime.gpu) {
      state.runtime.stop();
      state.session = null;
      state.runtime = await startRuntime(state.config.runtimes, onGpu);
    }
    const session = await state.runtime.open(file, model);
    const verdict = judge(file, model.golden, await answer(session, model.golden));
    if (state.runtime.gpu && !verdict.ok) throw new Error(verdict.text);
    state.session?.close();
    Object.assign(state, { model, file, session, times: [] });
    byId("agreement").className = verdict.ok ? "good" : "bad";
    byId("agreement").textContent = verdict.text;
    showControls();
  } catch (error) {
    if (!state.runtime.gpu) throw error;
    await openFile(model, file, false);
    byId("agreement").append(` (on the CPU; WebGPU: ${error.message ?? error})`);
  }
}

const showModel = (model) => inTurn(async () => {
  const [file] = filesOf(model);
  const { kind, name } = state.runtime;
  if (!file) throw new Error(`${model.name} has no .${kind} file, which ${name} would run`);
  byId("title").textContent = document.title = model.name;
  byId("description").textContent = model.description;
  byId("licence").textContent = model.licence ? `Data: ${model.licence}` : "";
  for (const link of byId("models").children) link.ariaCurrent = link.textContent === model.name;
  model.golden ??= await readExamples(model.examples);
  await openFile(model, file);
  Object.assign(state, { label: 0, redraw: redrawing(byId("view")) });
  byId("view").replaceChildren(...makeView(model));
  state.redraw();
});

function showControls() {
  const { model, file, runtime: { gpu, hasGpu, threads: most }, threads } = state;
  const files = filesOf(model);
  const counts = [1, 2, 4, 8].filter((count) => count <= most);
  const reopen = (other, onGpu) => inTurn(async () => {
    await openFile(model, other, onGpu);
    state.redraw();
  }).catch(fail);
  const sizes = files.map(({ quantization, size_bytes: bytes }) =>
    `${quantization}, ${(bytes / 1e6).toFixed(2)} MB`);
  byId("controls").replaceChildren(
    select("File", sizes, files.indexOf(file), (i) => reopen(files[i])),
    select("Threads", counts, counts.indexOf(threads), (i) => {
      state.threads = counts[i];
      reopen(file);
    }),
    select("On", hasGpu ? ["CPU", "GPU (WebGPU)"] : ["CPU"], Number(gpu),
      (i) => reopen(file, i === 1)));
}

function showTimes() {
  const { times, runtime: { gpu, name, version }, threads } = state;
  if (!times.length) return;
  const median = [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
  const place = gpu ? "WebGPU" : `${threads} thread${threads > 1 ? "s" : ""}`;
  const why = self.crossOriginIsolated ? "" : " (more need a host that sends COOP and COEP)";
  byId("engine").textContent =
    `${name} ${version} · ${place}${why} · ${median.toFixed(2)} ms a frame`;
}

async function main() {
  state.config = await readJson("web/models.json");
  state.runtime = await startRuntime(state.config.runtimes);
  const { models } = state.config;
  const hash = ({ name }) => `#${encodeURIComponent(name)}`;
  const chosen = () => models.find((model) => hash(model) === location.hash) ?? models[0];
  if (models.length > 1) {
    byId("models").append(...models.map((model) => el("a", { href: hash(model) }, model.name)));
  }
  addEventListener("hashchange", () => showModel(chosen()).catch(fail));
  setInterval(showTimes, 500);
  await showModel(chosen());
}

window.tfgen = {
  ready: main().catch((error) => {
    const text = `The models cannot be run here: ${error.message ?? error}`;
    byId("view").replaceChildren(el("p", { className: "bad" }, text));
    throw error;
  }),
};
