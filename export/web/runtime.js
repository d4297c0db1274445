// Opens exported files in the browser, runs them, compares them with golden examples.

// What is shown: `config` `model` `examples` `runtime` `file` `session`, the class that is
// chosen, and the `times` of the last frames in ms.
export const state = { threads: 1, label: 0, times: [] };

export const map = (object, change) => Object.fromEntries(Object.entries(object).map(change));

const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

export async function download(path) {
  const response = await fetch(new URL(path, document.baseURI));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

export const readJson = async (path, revive) =>
  JSON.parse(new TextDecoder().decode(await download(path)), revive);

// ---- Runtimes: each opens an export's file as a session { endpoints, run, close } -----

// WebGPU needs a build that suspends, and an adapter; it is chosen if that is hardware,
// or by ?on=gpu in the address, or ?on=cpu.
async function startLiteRT({ wasm, version, integrity }, onGpu) {
  const litert = await import("@litertjs/core");
  const relaxed = await litert.supportsFeature("relaxedSimd");
  const adapter = relaxed && "Suspending" in WebAssembly
    && await navigator.gpu?.requestAdapter();
  const chosen = onGpu ?? { "?on=cpu": false, "?on=gpu": true }[location.search];
  const gpu = Boolean(adapter) && (chosen ?? !adapter.info.isFallbackAdapter);
  const threaded = relaxed && !gpu && self.crossOriginIsolated
    && await litert.supportsFeature("threads");
  let path = new URL(wasm, document.baseURI).href;
  self.Module = { printErr: (line) => console.debug(line) };
  if (integrity) {  // from another host: what is run is what its hashes name
    const kind = !relaxed ? "compat_" : threaded ? "threaded_" : gpu ? "jspi_" : "";
    const [script, binary] = await Promise.all(["js", "wasm"].map(async (end) => {
      const name = `litert_wasm_${kind}internal.${end}`;
      const response = await fetch(path + name, { integrity: integrity[name] });
      return URL.createObjectURL(await response.blob());
    }));
    self.Module.locateFile = (name) => (name.endsWith(".wasm") ? binary : script);
    path = `${script}#.js`;
  }
  await litert.loadLiteRt(path, { threads: threaded, jspi: gpu });
  const options = () => (gpu ? { accelerator: "webgpu", gpuOptions: { precision: "fp32" } }
    : { accelerator: "wasm", cpuOptions: { numThreads: state.threads } });
  return {
    kind: "tflite", version, gpu, hasGpu: Boolean(adapter),
    threads: threaded ? Math.min(8, navigator.hardwareConcurrency || 1) : 1,
    stop: () => litert.unloadLiteRt(),
    open: async ({ path: file }) =>
      openTflite(litert, await litert.loadAndCompile(await download(file), options())),
  };
}

function openTflite(litert, model) {
  const runOnce = async (endpoint, inputs) => {
    const runner = model.signatures[endpoint];
    const tensors = Object.fromEntries(runner.getInputDetails().map(({ name, dtype, shape }) =>
      [name, new litert.Tensor(TYPES[dtype].from(inputs[name].data), shape)]));
    const results = await runner.run(tensors);
    const outputs = {};
    for (const { name, shape } of runner.getOutputDetails()) {
      outputs[name] = { data: (await results[name].data()).slice(), shape: [...shape] };
    }
    for (const tensor of [...Object.values(tensors), ...Object.values(results)]) {
      if (!tensor.deleted) tensor.delete();
    }
    return outputs;
  };
  return { endpoints: Object.keys(model.signatures), close: () => model.delete(), run: runOnce };
}

async function startOnnx({ module, version }) {
  const url = new URL(module, document.baseURI).href;
  const ort = await import(url);
  Object.assign(ort.env.wasm, { wasmPaths: new URL(".", url).href, numThreads: 1 });
  const open = async ({ parts }, { endpoints }) => {
    const sessions = {};
    for (const [endpoint, path] of Object.entries(parts)) {
      sessions[endpoint] = await ort.InferenceSession.create(await download(path));
    }
    const runOnce = async (endpoint, inputs) => {
      const session = sessions[endpoint];
      const feeds = Object.fromEntries(session.inputNames.map((name) => {
        const { dtype, shape } = endpoints[endpoint].inputs[name];
        const data = TYPES[dtype].from(inputs[name].data);
        return [name, new ort.Tensor(dtype, data, [1, ...shape.slice(1)])];
      }));
      return map(await session.run(feeds), ([name, { data, dims }]) => {
        const plain = name.replace(/_output$/, "");  // of an output called as an input
        return [plain in feeds ? plain : name, { data, shape: [...dims] }];
      });
    };
    const close = () => Object.values(sessions).forEach((session) => session.release());
    return { endpoints: Object.keys(sessions), close, run: runOnce };
  };
  return { kind: "onnx", version, gpu: false, threads: 1, open };
}

// Starts the first runtime that does: LiteRT.js, that on the CPU, ONNX Runtime Web.
export async function startRuntime({ litert, onnx }, gpu) {
  const ways = [["LiteRT.js", startLiteRT, litert, gpu], ["LiteRT.js", startLiteRT, litert, false],
    ["ONNX Runtime Web", startOnnx, onnx]].filter(([, , options]) => options);
  const problems = new Set();
  for (const [name, start, ...options] of ways) {
    try {
      return { name, ...await start(...options) };
    } catch (error) { problems.add(`${name}: ${error.message ?? error.target?.src ?? error}`); }
  }
  throw new Error([...problems].join("; "));
}

// ---- One thing at a time ---------------------------------------------------------------

let queue = Promise.resolve();
export function inTurn(work) {
  const next = queue.then(work);
  queue = next.catch(() => {});
  return next;
}

// Returns what an endpoint answers to `data`: images, or a code. Its other inputs are the
// chosen class, and noise as in the first example.
export const run = (endpoint, data) => inTurn(async () => {
  const inputs = map(state.examples[endpoint][0].inputs, ([name, noise]) =>
    [name, { labels: { data: [state.label] }, noise }[name] ?? { data }]);
  const start = performance.now();
  const { images, mean, latents } = await state.session.run(endpoint, inputs);
  state.times = [...state.times.slice(-29), performance.now() - start];
  return images ?? mean ?? latents;
});

// ---- Golden examples: of each endpoint rows { inputs, outputs }, as Keras answered -----

export const readExamples = (path) => readJson(path, (_, value) => {
  if (!value?.dtype) return value;
  const bytes = Uint8Array.from(atob(value.data), (char) => char.charCodeAt(0));
  return { ...value, data: new TYPES[value.dtype](bytes.buffer) };
});

export async function answer(session, examples) {
  const answers = {};
  for (const endpoint of session.endpoints.filter((name) => name in examples)) {
    answers[endpoint] = [];
    for (const { inputs } of examples[endpoint]) {
      answers[endpoint].push(await session.run(endpoint, inputs));
    }
  }
  return answers;
}

// Whether a file answers as Keras did, by the floors of `tfgen check`.
export function judge({ floor_db: floor, tolerance }, examples, answers) {
  let difference = 0, psnr = 150;  // NaN where an answer is missing, or is NaN
  for (const [endpoint, rows] of Object.entries(examples)) {
    for (const [name, { peak }] of Object.entries(rows[0].outputs)) {
      const gaps = rows.flatMap(({ outputs }, row) => Array.from(outputs[name].data,
        (value, i) => Math.abs(value - answers[endpoint]?.[row][name].data[i])));
      const error = gaps.reduce((sum, gap) => sum + gap * gap / gaps.length, 0);
      difference = gaps.reduce((most, gap) => Math.max(most, gap), difference);
      if (error !== 0) psnr = Math.min(psnr, 10 * Math.log10(peak * peak / error));
    }
  }
  const [ok, text] = floor
    ? [psnr >= floor, `PSNR ${psnr.toFixed(1)} dB, at least ${floor} dB`]
    : [difference <= tolerance, `${difference.toExponential(1)} ≤ ${tolerance}`];
  const verdict = ok ? "agrees with Keras" : "does NOT agree with Keras";
  return { ok, text: `this page ${verdict} on the golden examples: ${text}` };
}
