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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    text = (arguments.directory / "web/models.json").read_text()
    print("| model | file | endpoint | threads | median ms | frames a second |")
    print("|---|---|---|---|---|---|")
    with serving(arguments.directory) as address, open_page() as page:
        page.open(f"{address}index.html?on=cpu")
        for model in json.loads(text)["models"]:
            for file in model["files"]:
                for threads in (1, 2) if file["format"] == "tflite" else ():
                    call = [file["path"], threads, arguments.seconds]
                    answers = f"window.tfgen.answers(...{json.dumps(call)})"
                    # As many numbers of as many frames need not come here.
                    times = page.evaluate(f"{answers}.then(({{ times }}) => times)")
                    for endpoint in set(ENDPOINTS) & set(times):
                        median = statistics.median(times[endpoint][5:])
                        print(
                            f"| `{model['name']}` | {file['quantization']} "
                            f"| `{endpoint}` | {threads} | {median:.2f} "
                            f"| {1000 / median:.0f} |",
                            flush=True,
                        )


if __name__ == "__main__":
    main()
