// What `export.verify.browser` has a page evaluate: the answers of a file, by the page's code.

async (path) => {
  const { answer, inTurn, map, readExamples, state } =
    await import(new URL("web/runtime.js", document.baseURI));
  const toText = ({ buffer, byteOffset, byteLength }) => btoa(Array.from(
    new Uint8Array(buffer, byteOffset, byteLength), (byte) => String.fromCharCode(byte)).join(""));
  const encode = ([name, { data, shape }]) =>
    [name, { shape, type: data.constructor.name, data: toText(data) }];
  return inTurn(async () => {
    const { config, runtime } = state;
    const [[model, file]] = config.models.flatMap((one) => one.files
      .filter((other) => other.path === path).map((found) => [one, found]));
    const session = await runtime.open(file, model);
    const times = map(model.endpoints, ([endpoint]) => [endpoint, []]);
    const run = async (endpoint, inputs) => {
      const start = performance.now();
      const outputs = await session.run(endpoint, inputs);
      times[endpoint].push(performance.now() - start);
      return outputs;
    };
    const answers = await answer({ ...session, run }, await readExamples(model.examples));
    session.close();
    return {
      runtime: `${runtime.name} ${runtime.version}`, names: session.endpoints, times,
      endpoints: map(answers, ([endpoint, rows]) =>
        [endpoint, rows.map((outputs) => map(outputs, encode))]),
    };
  });
}
