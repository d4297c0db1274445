// Opens exported files in the browser, runs them, reads golden examples, compares.

const asked = new URLSearchParams(location.search);  // ?runtime=onnx, ?on=cpu or ?on=gpu

// `gpu` is undecided until a runtime starts; `times` are of the last frames, in ms.
export const state = { threads: 1, gpu: undefined, hasGpu: false, times: [], session: null };

export const map = (object, change) => Object.fromEntries(Object.entries(object).map(change));

const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

// ---- Runtimes: each opens an export's file as a session { endpoints, run, close } -----

async function startLiteRT({ wasm, version, integrity }) {
  const litert = await import("@litertjs/core");
  const relaxed = await litert.supportsFeature("relaxedSimd");
  // WebGPU needs a build that suspends, and an adapter; it is chosen if that is hardware.
  const adapter = relaxed && "Suspending" in WebAssembly
    ? await navigator.gpu?.requestAdapter() : null;
  const wanted = { cpu: false, gpu: true }[asked.get("on")] ?? !adapter?.info.isFallbackAdapter;
  state.hasGpu = Boolean(adapter);
  state.gpu = state.hasGpu && (state.gpu ?? wanted);
  const threaded = relaxed && !state.gpu && self.crossOriginIsolated
    && await litert.supportsFeature("threads");
  let path = new URL(wasm, document.baseURI).href;
  self.Module = { printErr: (line) => console.debug(line) };
  if (integrity) {  // from another host: what is run is what its hashes name
    const kind = !relaxed ? "compat_" : threaded ? "threaded_" : state.gpu ? "jspi_" : "";
    const [script, binary] = await Promise.all(["js", "wasm"].map(async (end) => {
      const name = `litert_wasm_${kind}internal.${end}`;
      const response = await fetch(path + name, { integrity: integrity[name] });
      return URL.createObjectURL(await response.blob());
    }));
    self.Module.locateFile = (name) => (name.endsWith(".wasm") ? binary : script);
    path = `${script}#.js`;
  }
  await litert.loadLiteRt(path, { threads: threaded, jspi: state.gpu });
  return {
    kind: "tflite", name: "LiteRT.js", version, stop: () => litert.unloadLiteRt(),
    threads: threaded ? Math.min(8, navigator.hardwareConcurrency || 1) : 1,
    open: async (file) => openTflite(litert, await litert.loadAndCompile(
      await download(file.path), state.gpu
        ? { accelerator: "webgpu", gpuOptions: { precision: "fp32" } }
        : { accelerator: "wasm", cpuOptions: { numThreads: state.threads } })),
  };
}

function openTflite(litert, model) {
  const runOnce = async (endpoint, inputs) => {
    const runner = model.signatures[endpoint];
    const tensors = Object.fromEntries(runner.getInputDetails().map(({ name, dtype, shape }) =>
      [name, new litert.Tensor(TYPES[dtype].from(inputs[name]), shape)]));
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
  const open = async (file, model) => {
    const sessions = {};
    for (const [endpoint, path] of Object.entries(file.parts)) {
      sessions[endpoint] = await ort.InferenceSession.create(await download(path));
    }
    const runOnce = async (endpoint, inputs) => {
      const session = sessions[endpoint];
      const feeds = Object.fromEntries(session.inputNames.map((name) => {
        const { dtype, shape } = model.endpoints[endpoint].inputs[name];
        const data = TYPES[dtype].from(inputs[name]);
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
  return { kind: "onnx", name: "ONNX Runtime Web", version, threads: 1, stop() {}, open };
}

export async function startRuntime({ litert, onnx }) {
  const problems = [];
  const ways = [["tflite", startLiteRT, litert], ["onnx", startOnnx, onnx]];
  while (ways.length) {
    const [[kind, start, options]] = ways;
    try {
      if (options && (asked.get("runtime") ?? kind) === kind) return await start(options);
    } catch (error) {
      problems.push(`${kind}: ${error.message ?? error}`);
      state.hasGpu = false;
    }
    if (state.gpu) state.gpu = false; else ways.shift();  // WebGPU fails: once more without
  }
  throw new Error(problems.join("; ") || "the folder names no runtime");
}

export async function download(path) {
  const response = await fetch(new URL(path, document.baseURI));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

// ---- One thing at a time ---------------------------------------------------------------

let queue = Promise.resolve();
export function inTurn(work) {
  const next = queue.then(work);
  queue = next.catch(() => {});
  return next;
}

// The controls of a model that is no longer shown get no answer.
export async function run(model, endpoint, inputs) {
  const outputs = await inTurn(async () => {
    if (state.model !== model) return null;
    const start = performance.now();
    const answered = await state.session.run(endpoint, inputs);
    state.times = [...state.times.slice(-29), performance.now() - start];
    return answered;
  });
  return outputs ?? new Promise(() => {});
}

// ---- Golden examples: inputs, and what Keras answered ----------------------------------

export async function readExamples({ examples: path }) {
  const examples = JSON.parse(new TextDecoder().decode(await download(path)));
  for (const tensors of Object.values(examples).flatMap(Object.values)) {
    for (const tensor of Object.values(tensors)) {
      const bytes = Uint8Array.from(atob(tensor.data), (char) => char.charCodeAt(0));
      tensor.data = new TYPES[tensor.dtype](bytes.buffer);
    }
  }
  return examples;
}

export function row({ data, shape }, index) {
  const size = data.length / shape[0];
  return data.subarray(index * size, (index + 1) * size);
}

// The outputs of each row of each endpoint, and how long each took.
export async function answer(session, examples) {
  const answers = {}, times = {};
  for (const [endpoint, { inputs }] of Object.entries(examples)) {
    if (!session.endpoints.includes(endpoint)) continue;
    [answers[endpoint], times[endpoint]] = [[], []];
    for (let index = 0; index < Object.values(inputs)[0].shape[0]; index += 1) {
      const one = map(inputs, ([name, array]) => [name, row(array, index)]);
      const start = performance.now();
      answers[endpoint].push(await session.run(endpoint, one));
      times[endpoint].push(performance.now() - start);
    }
  }
  return { answers, times };
}

export function judge(file, examples, { answers }) {
  let difference = 0, psnr = 150;
  for (const [endpoint, { outputs }] of Object.entries(examples)) {
    if (!answers[endpoint]) difference = psnr = NaN;
    for (const [name, expected] of Object.entries(outputs)) {
      let squares = 0, low = 0, high = 0;
      answers[endpoint]?.forEach((answered, index) => row(expected, index).forEach((value, i) => {
        const gap = Math.abs(value - answered[name].data[i]);
        difference = gap <= difference ? difference : gap;  // NaN stays
        squares += gap * gap;
        [low, high] = [Math.min(low, value), Math.max(high, value)];
      }));
      const peak = expected.shape.length === 4 ? 1 : high - low;
      if (squares !== 0) {
        psnr = Math.min(psnr, 10 * Math.log10(peak * peak * expected.data.length / squares));
      }
    }
  }
  const [ok, text] = file.floor_db
    ? [psnr >= file.floor_db, `PSNR ${psnr.toFixed(1)} dB, at least ${file.floor_db} dB`]
    : [difference <= file.tolerance, `${difference.toExponential(1)} ≤ ${file.tolerance}`];
  const verdict = ok ? "agrees with Keras" : "does NOT agree with Keras";
  return { ok, text: `this page ${verdict} on the golden examples: ${text}` };
}
