"""Results as Markdown tables.

python benchmarks/report.py benchmarks/results/FILE.json
"""

import json
import sys
from pathlib import Path

from cases import EXTRA_MEMORY, FMA_SHARE

NAMES = {"backlit": "backlit", "captum": "Captum", "pytorch": "PyTorch", "reference": "reference"}


def render(results: dict) -> str:
    """The whole report."""
    parts = [_machine(results["machine"])]
    peak = next((r["rate"] for r in results.get("peaks", []) if r["unit"] == "GFLOP/s"), None)
    for row in results.get("networks", []):
        row["share"] = f"{row['rate'] / peak:.0%}" if peak else ""
    for section, table in SECTIONS.items():
        if results.get(section):
            parts += table(results[section])
    return "\n".join(parts)


def _machine(machine: dict) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['processor']} with {machine['vector_extension']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}, {versions}; {machine['date']}; "
        f"load by other programs at the start {machine['load']:.1f}.\n"
        "Contenders are timed in turns in one process; medians. "
        "× is how many times faster backlit is; in brackets what it must reach, and the aim.\n"
    )


def _saliency(rows: list[dict]) -> list[str]:
    titles = {
        "test-set": "## Saliency of the 10,000 MNIST test images, peers at their best batch size\n",
        "one-call": "## Saliency in one call of so many images\n",
    }
    parts = []
    for group, title in titles.items():
        cases: dict[tuple, dict] = {}
        for row in rows:
            if row["group"] == group:
                key = row["model"], row["images"], row["threads"]
                cases.setdefault(key, {})[row["contender"]] = row
        measured = {contender for by in cases.values() for contender in by}
        others = [name for name in NAMES if name in measured - {"backlit"}]
        head = ["model", "images", "threads", "backlit"]
        for other in others:
            head += [NAMES[other], "batch", "×"]
        body = []
        for (model, images, threads), by in cases.items():
            line = [model, f"{images:,}", threads, _time(by["backlit"]["seconds"])]
            for other in others:
                line += _against(by[other]) if other in by else [""] * 3
            body.append(line)
        if body:
            parts += [title, table(head, body)]
    kinks = {(r["model"], r["contender"]): r["kinks"] for r in rows if r["kinks"]}
    if kinks:
        listed = ", ".join(f"{m} against {NAMES[c]} {n}" for (m, c), n in kinks.items())
        parts.append(
            "All maps agree to 1e-4 of the largest value, but for images with a pre-activation or "
            f"a pooling tie within rounding of its kink, where either side is right: {listed}.\n"
        )
    return parts


def _against(row: dict) -> list:
    """Another contender's time, batch, and how many times faster backlit is."""
    return [_time(row["seconds"]), row["batch"], _ratio(row["ratio"], row["target"])]


def _methods(rows: list[dict]) -> list[str]:
    body = [
        [
            r["method"],
            r["model"],
            r["images"],
            _time(r["backlit"] / r["images"]),
            r["peer"],
            r["version"],
            r["batch"],
            _time(r["seconds"] / r["images"]),
            _ratio(r["ratio"], r["target"]),
            _sameness(r),
        ]
        for r in rows
    ]
    head = ["method", "model", "images", "backlit", "peer", "", "batch", "its time", "×", "same"]
    return [
        "## Attribution methods, time for an image, 2 threads, peers at their best batch size\n",
        "Batch: images in a call, and perturbed copies of each in a pass. Same: maps that differ "
        "by more than 1e-4 of the largest value because of the peer's float32 rounding or a kink; "
        "for random methods how far ours is from the peer's, in distances between two of the "
        "peer's own (1 is the same distribution, less a smaller error of ours).\n",
        table(head, body),
    ]


def _sameness(row: dict) -> str:
    if row["distance"] is not None:
        return f"distance {row['distance']:.2f}"
    found = [f"{row[why]} by {why}" for why in ("rounding", "kinks") if row[why]]
    return "all but " + ", ".join(found) if found else "all"


def _networks(rows: list[dict]) -> list[str]:
    body = [
        [
            r["network"],
            NAMES[r["contender"]],
            r["batch"],
            _time(r["seconds"]),
            f"{r['rate'] / 1e9:.0f} GFLOP/s",
            r["share"],
            _ratio(r["ratio"], r["target"], 2),
            _time(r["single"]),
            _ratio(r["single ratio"], r["single target"], 2),
        ]
        for r in rows
    ]
    head = ["network", "", "best batch", "an image", "a core", "of peak", "×", "single image", "×"]
    return [
        "## Input gradients of real architectures, 2 threads, each at its best batch size\n",
        "GFLOP/s count the multiplications of direct convolutions, forward and back; of peak: "
        "their share of the fused multiply-adds that one core was measured to do.\n",
        table(head, body),
    ]


def _forward(rows: list[dict]) -> list[str]:
    body = [
        [
            r["network"],
            _time(r["backlit"]),
            _time(r["onnxruntime"]),
            _ratio(r["onnxruntime"] / r["backlit"], r["target"], 2),
        ]
        for r in rows
    ]
    title = "## Forward passes, an image, 2 threads, best of batches 1 and 8\n"
    version = rows[0]["version"]
    return [title, table(["network", "backlit", f"onnxruntime {version}", "×"], body)]


def _network_memory(rows: list[dict]) -> list[str]:
    body = [
        [r["network"], NAMES[r["contender"]], r["images"], f"{r['bytes'] / 1e6:.0f} MB"]
        for r in rows
    ]
    title = "## Peak memory of a first call beyond model, input and output, 2 threads\n"
    return [title, table(["network", "", "images", "memory"], body)]


def _session(rows: list[dict]) -> list[str]:
    body = [
        [
            *(r["network"], r["methods"], _time(r["first"]), _time(r["other"])),
            *(f"{r[when] / 1e6:.0f} MB" for when in ("after one", "after all")),
        ]
        for r in rows
    ]
    head = ["network", "methods", "first call", "of another method", "memory then", "after all"]
    title = "## Many methods in one process, each on one picture, kernels compiled; 2 threads\n"
    return [title, table(head, body)]


def _path_memory(rows: list[dict]) -> list[str]:
    most, aim = EXTRA_MEMORY
    body = [
        [r["model"], f"{r['images']:,}", r["steps"], f"{r['bytes'] / 1e6:.1f} MB"] for r in rows
    ]
    title = (
        "## Peak memory of integrated gradients beyond input and output, 2 threads "
        f"(at most {most} MB, aim {aim} MB)\n"
    )
    return [title, table(["model", "images", "steps", "memory"], body)]


def _memory(rows: list[dict]) -> list[str]:
    by: dict[tuple, dict] = {}
    for row in rows:
        by.setdefault((row["model"], row["contender"], row["batch"]), {})[row["warm"]] = row[
            "bytes"
        ]
    body = [
        [model, NAMES[contender], batch or "", *(f"{sizes[w] / 1e6:.1f} MB" for w in (True, False))]
        for (model, contender, batch), sizes in by.items()
    ]
    most, aim = EXTRA_MEMORY
    title = (
        "## Peak memory of the 10,000 images beyond input and output, 2 threads "
        f"(at most {most} MB, aim {aim} MB)\n"
    )
    return [title, table(["model", "", "batch", "code loaded before", "first call"], body)]


def _start(rows: list[dict]) -> list[str]:
    fields = ["import", "model and data", "first map", "second map", "process"]
    body = [[r["model"], r["images"], r["cache"], *(_time(r[f]) for f in fields)] for r in rows]
    return [
        "## From start to first map\n",
        table(["model", "images", "cache of compiled kernels", *fields], body),
    ]


def _peaks(rows: list[dict]) -> list[str]:
    body = [[r["what"], f"{r['rate'] / 1e9:.1f} {r['unit']}"] for r in rows]
    return ["## Peaks of one core, measured\n", table(["", ""], body)]


def _kernels(rows: list[dict]) -> list[str]:
    least, aim = FMA_SHARE
    title = (
        "## Products on one core, as many samples as a tile holds: share of the measured peak "
        f"(at least {least:.0%}, aim {aim:.0%})\n"
    )
    note = (
        "By the quickest of many rounds of half a millisecond or a single call, and of as long "
        "bursts of multiply-adds on registers in turns with them: a neighbour on the core slows "
        "those least. Rates count the products of direct sums; `done` is the share of the peak "
        "that those which Winograd's method leaves take, its transforms included in the time.\n"
    )
    return [title, note, _rates(rows, FMA_SHARE)]


def _features(rows: list[dict]) -> list[str]:
    title = (
        "## Other kernels on one core, 8 channels of 14x14, a tile of samples: "
        "memory touched, against a copy within the L2 cache\n"
    )
    return [title, _rates(rows)]


def _rates(rows: list[dict], target=None) -> str:
    body = [
        [
            r["layer"],
            r["kernel"],
            _time(r["seconds"]),
            f"{r['rate'] / 1e9:.1f} {r['unit']}",
            f"{r['share']:.0%}" + _missed(r["share"], target),
            *([f"{r['done']:.0%}"] if "done" in r else []),
        ]
        for r in rows
    ]
    more = ["done"] if "done" in rows[0] else []
    return table(["layer", "kernel", "time", "rate", "share", *more], body)


def table(head: list, body: list[list]) -> str:
    """A Markdown table whose columns line up."""
    cells = [[str("" if c is None else c) for c in line] for line in [head, *body]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:]), ""])


def _time(seconds: float) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds:.0f} s"
    return f"{seconds * 1e9:.3g} ns"


def _ratio(ratio: float, target, digits: int = 1) -> str:
    """How many times faster, and what it is to be."""
    goal = f" ({target[0]} / {target[1]})" if target else ""
    return f"**{ratio:.{digits}f}**{goal}{_missed(ratio, target)}"


def _missed(value: float, target) -> str:
    return " missed" if target and value < target[0] else ""


SECTIONS = {
    "saliency": _saliency,
    "methods": _methods,
    "path memory": _path_memory,
    "networks": _networks,
    "forward": _forward,
    "network memory": _network_memory,
    "session": _session,
    "memory": _memory,
    "start": _start,
    "peaks": _peaks,
    "kernels": _kernels,
    "features": _features,
}

if __name__ == "__main__":
    print(render(json.loads(Path(sys.argv[1]).read_text())))
