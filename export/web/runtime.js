// Opens exported files in the browser, reads golden examples, compares.

export const settings = { threads: 1, gpu: false };

// ---- Runtimes: each opens an export's file as a session { run, close } ---------------

const LITERT_TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

async function startLiteRT({ wasm, version, integrity }) {
  const litert = await import("@litertjs/core");
  const threaded = self.crossOriginIsolated && !settings.gpu
    && await litert.supportsFeature("relaxedSimd")
    && await litert.supportsFeature("threads");
  let path = new URL(wasm, document.baseURI).href;
  if (integrity) path = await verifiedScript(litert, path, integrity, threaded);
  self.Module = { ...self.Module, printErr: (line) => console.debug(line) };
  await litert.loadLiteRt(path, { threads: threaded, jspi: settings.gpu });
  return {
    name: "LiteRT.js", version, unload: () => litert.unloadLiteRt(),
    threads: threaded ? Math.min(8, navigator.hardwareConcurrency || 1) : 1,
    open: async (file) => openTflite(litert, await download(file.path)),
  };
}

// From another host: what is run is what its hashes name.
async function verifiedScript(litert, base, integrity, threaded) {
  const relaxed = await litert.supportsFeature("relaxedSimd");
  const kind = !relaxed ? "compat_" : threaded ? "threaded_" : settings.gpu ? "jspi_" : "";
  const fetched = async (name) => {
    const answer = await fetch(base + name, { integrity: integrity[name] });
    return URL.createObjectURL(await answer.blob());
  };
  const script = await fetched(`litert_wasm_${kind}internal.js`);
  const binary = await fetched(`litert_wasm_${kind}internal.wasm`);
  self.Module = { locateFile: (name) => (name.endsWith(".wasm") ? binary : script) };
  return `${script}#.js`;
}

async function openTflite(litert, bytes) {
  const options = { accelerator: settings.gpu ? "webgpu" : "wasm" };
  if (!settings.gpu) options.cpuOptions = { numThreads: settings.threads };
  const model = await litert.loadAndCompile(bytes, options);
  return {
    endpoints: Object.keys(model.signatures),
    close: () => model.delete(),
    async run(endpoint, inputs) {
      const runner = model.signatures[endpoint];
      const tensors = {};
      for (const { name, dtype, shape } of runner.getInputDetails()) {
        tensors[name] = new litert.Tensor(LITERT_TYPES[dtype].from(inputs[name]), shape);
      }
      const results = await runner.run(tensors);
      const outputs = {};
      for (const { name, shape } of runner.getOutputDetails()) {
        const data = (await results[name].data()).slice();
        outputs[name] = { data, shape: [...shape] };
      }
      for (const tensor of [...Object.values(tensors), ...Object.values(results)]) {
        if (!tensor.deleted) tensor.delete();
      }
      return outputs;
    },
  };
}

async function startOnnx({ module, version }) {
  const url = new URL(module, document.baseURI).href;
  const ort = await import(url);
  ort.env.wasm.wasmPaths = new URL(".", url).href;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? settings.threads : 1;
  return {
    name: "ONNX Runtime Web", version, threads: 1, unload: () => {},
    async open(file, model) {
      const sessions = {};
      for (const { path, endpoint } of file.parts) {
        const bytes = await download(path);
        sessions[endpoint] = await ort.InferenceSession.create(bytes);
      }
      return openOnnx(ort, sessions, model);
    },
  };
}

function openOnnx(ort, sessions, model) {
  return {
    endpoints: Object.keys(sessions),
    close: () => Object.values(sessions).forEach((session) => session.release()),
    async run(endpoint, inputs) {
      const session = sessions[endpoint];
      const feeds = {};
      for (const name of session.inputNames) {
        const { dtype, shape } = model.endpoints[endpoint].inputs[name];
        const data = LITERT_TYPES[dtype].from(inputs[name]);
        feeds[name] = new ort.Tensor(dtype, data, [1, ...shape.slice(1)]);
      }
      const results = await session.run(feeds);
      const outputs = {};
      for (const [name, { data, dims }] of Object.entries(results)) {
        // ONNX tells an output from the input of its name.
        const plain = name.replace(/_output$/, "");
        outputs[plain in feeds ? plain : name] = { data, shape: [...dims] };
      }
      return outputs;
    },
  };
}

export async function download(path) {
  const answer = await fetch(new URL(path, document.baseURI));
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

export async function startRuntime(runtimes) {
  const problems = [];
  const { litert, onnx } = runtimes;
  for (const [start, options] of [[startLiteRT, litert], [startOnnx, onnx]]) {
    const kind = start === startLiteRT ? "tflite" : "onnx";
    const wanted = new URLSearchParams(location.search).get("runtime") ?? kind;
    if (!options || wanted !== kind) continue;
    try {
      return Object.assign(await start(options), { kind });
    } catch (error) {
      problems.push(`${kind}: ${error.message ?? error}`);
    }
  }
  throw new Error(problems.join("; ") || "the folder names no runtime");
}

// ---- Golden examples: an .npz file is a ZIP of .npy files -----------------------------

export async function readExamples(path) {
  const bytes = await download(path);
  const view = new DataView(bytes.buffer);
  let end = bytes.length - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end -= 1;
  const examples = {};
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const [name, extra, comment] = [28, 30, 32].map((o) => view.getUint16(at + o, true));
    const key = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name));
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true)
      + view.getUint16(local + 28, true);
    const size = view.getUint32(at + 20, true);
    const packed = new Blob([bytes.subarray(start, start + size)]);
    const method = view.getUint16(at + 10, true);
    const stream = method
      ? packed.stream().pipeThrough(new DecompressionStream("deflate-raw")) : packed;
    const [endpoint, kind, tensor] = key.replace(/\.npy$/, "").split("/");
    if (tensor) {
      examples[endpoint] ??= { inputs: {}, outputs: {} };
      examples[endpoint][kind][tensor] = readArray(await new Response(stream).arrayBuffer());
    }
    at += 46 + name + extra + comment;
  }
  return examples;
}

function readArray(buffer) {
  const view = new DataView(buffer);
  const long = view.getUint8(6) > 1;
  const start = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, length));
  const type = header.match(/'descr': '(.+?)'/)[1];
  const shape = header.match(/'shape': \((.*?)\)/)[1].match(/\d+/g).map(Number);
  const types = { "<f4": Float32Array, "<i4": Int32Array, "|u1": Uint8Array };
  if (!types[type]) throw new Error(`an example is of type ${type}`);
  return { data: new types[type](buffer.slice(start + length)), shape };
}

export function row({ data, shape }, index) {
  const size = data.length / shape[0];
  return data.subarray(index * size, (index + 1) * size);
}

export async function answer(session, examples, times = {}) {
  const answers = {};
  for (const [endpoint, { inputs }] of Object.entries(examples)) {
    if (!session.endpoints.includes(endpoint)) continue;
    const count = Object.values(inputs)[0].shape[0];
    answers[endpoint] = [];
    times[endpoint] = [];
    for (let index = 0; index < count; index += 1) {
      const one = Object.entries(inputs).map(([name, array]) => [name, row(array, index)]);
      const start = performance.now();
      answers[endpoint].push(await session.run(endpoint, Object.fromEntries(one)));
      times[endpoint].push(performance.now() - start);
    }
  }
  return answers;
}

export function compare(examples, answers) {
  let difference = 0, psnr = 150;
  for (const [endpoint, { outputs }] of Object.entries(examples)) {
    if (!answers[endpoint]) return { difference: NaN, psnr: NaN };
    for (const [name, expected] of Object.entries(outputs)) {
      let squares = 0, low = 0, high = 0;
      answers[endpoint].forEach((outputsOfRow, index) => {
        row(expected, index).forEach((value, i) => {
          const gap = Math.abs(value - outputsOfRow[name].data[i]);
          difference = gap <= difference ? difference : gap;  // NaN stays
          squares += gap * gap;
          low = Math.min(low, value);
          high = Math.max(high, value);
        });
      });
      const isImage = expected.shape.length === 4;
      const peak = isImage ? 1 : high - low;
      const error = squares / expected.data.length;
      if (error !== 0) psnr = Math.min(psnr, 10 * Math.log10(peak * peak / error));
    }
  }
  return { difference, psnr };
}

export function agreementText(file, { difference, psnr }) {
  const [text, ok] = file.floor_db
    ? [`PSNR ${psnr.toFixed(1)} dB, at least ${file.floor_db} dB`, psnr >= file.floor_db]
    : [`${difference.toExponential(1)} ≤ ${file.tolerance}`, difference <= file.tolerance];
  const verdict = ok ? "agrees with Keras" : "does NOT agree with Keras";
  return { ok, text: `this page ${verdict} on the golden examples: ${text}` };
}
