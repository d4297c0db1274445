"""Frames a second in a browser: python tests/benchmarks/web.py DIR [--seconds 3]

DIR is what `tfgen demo` wrote. Times the endpoint that a page calls for each frame, of
every .tflite file, in a headless Chromium, with one thread and with two.
"""

import argparse
import json
import pathlib
import statistics

from export.verify.chromium import open_page
from export.web.server import serving

ENDPOINTS = ("decode", "generate", "translate", "translate_ab", "translate_ba")
WARM_UP = 5
# Milliseconds of each call, by the page's own code.
TIMES = """async (model, file, endpoint, threads, seconds) => {
  const { readExamples, state } =
    await import(new URL("web/runtime.js", document.baseURI));
  state.threads = threads;
  const session = await state.runtime.open(file, model);
  const [{ inputs }] = (await readExamples(model.examples))[endpoint];
  const times = [];
  const stop = performance.now() + 1000 * seconds;
  while (performance.now() < stop) {
    const start = performance.now();
    await session.run(endpoint, inputs);
    times.push(performance.now() - start);
  }
  session.close();
  return times;
}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    text = (arguments.directory / "web/models.json").read_text()
    print("| model | file | endpoint | threads | median ms | frames a second |")
    print("|---|---|---|---|---|---|")
    with serving(arguments.directory) as address, open_page("--disable-gpu") as page:
        page.open(f"{address}index.html?on=cpu", 300)
        for model in json.loads(text)["models"]:
            for file in model["files"]:
                for threads in (1, 2) if file["format"] == "tflite" else ():
                    for endpoint in set(ENDPOINTS) & set(model["endpoints"]):
                        call = [model, file, endpoint, threads, arguments.seconds]
                        times = page.evaluate(f"({TIMES})(...{json.dumps(call)})", 300)
                        median = statistics.median(times[WARM_UP:])
                        print(
                            f"| `{model['name']}` | {file['quantization']} "
                            f"| `{endpoint}` | {threads} | {median:.2f} "
                            f"| {1000 / median:.0f} |",
                            flush=True,
                        )


if __name__ == "__main__":
    main()
