// Runs exported models in the browser. Files, names and texts come from models.json.

import { answer, inTurn, judge, readExamples, readJson, startRuntime, state } from "./runtime.js";
import { makeView } from "./views.js";
import { byId, el, fail, redrawing, select, tell } from "./widgets.js";

const redraw = redrawing(byId("view"));
const filesOf = (model) => model.files.filter(({ format }) => format === state.runtime.kind);

// Opens a file and compares it with Keras. One that WebGPU does not run, or not well enough,
// runs on the CPU.
async function openFile(file, onGpu = state.runtime.gpu) {
  try {
    if (onGpu !== state.runtime.gpu) {
      state.runtime.stop();
      state.session = null;
      state.runtime = await startRuntime(state.config.runtimes, onGpu);
    }
    const session = await state.runtime.open(file, state.model);
    const verdict = judge(file, state.examples, await answer(session, state.examples));
    if (state.runtime.gpu && !verdict.ok) throw new Error(verdict.text);
    state.session?.close();
    Object.assign(state, { file, session, times: [] });
    tell(verdict.text, verdict.ok);
    showControls();
  } catch (error) {
    if (!state.runtime.gpu) throw error;
    await openFile(file, false);
    byId("agreement").append(` (on the CPU; WebGPU: ${error.message ?? error})`);
  }
}

function showControls() {
  const { model, file, runtime: { gpu, hasGpu, threads: most }, threads } = state;
  const files = filesOf(model);
  const counts = [1, 2, 4, 8].filter((count) => count <= most);
  const reopen = (...how) => inTurn(() => openFile(...how)).then(redraw, fail);
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
  const model = state.model = models.find((one) => hash(one) === location.hash) ?? models[0];
  if (models.length > 1) {
    byId("models").append(...models.map((one) => el("a", { href: hash(one),
      ariaCurrent: String(one === model) }, one.name)));
  }
  addEventListener("hashchange", () => location.reload());
  byId("title").textContent = document.title = model.name;
  byId("description").textContent = model.description;
  byId("licence").textContent = model.licence ? `Data: ${model.licence}` : "";
  const [file] = filesOf(model);
  const { kind, name } = state.runtime;
  if (!file) throw new Error(`${model.name} has no .${kind} file, which ${name} would run`);
  state.examples = await readExamples(model.examples);
  await openFile(file);
  byId("view").replaceChildren(...makeView(state, redraw));
  redraw();
  setInterval(showTimes, 500);
}

window.tfgen = {
  ready: main().catch((error) => {
    const text = `The models cannot be run here: ${error.message ?? error}`;
    byId("view").replaceChildren(el("p", { className: "bad" }, text));
    throw error;
  }),
};
