"""From the rounds of a benchmark to medians, ratios, a table and a word on each target."""

from statistics import median

COLUMNS = (
    ("cpu_us", "CPU/call us", "{:.1f}"),
    ("calls_per_s", "calls/s", "{:,.0f}"),
    ("p50_ms", "p50 ms", "{:.2f}"),
    ("p99_ms", "p99 ms", "{:.2f}"),
    ("chunk_cpu_us", "CPU/chunk us", "{:.1f}"),
    ("first_byte_p50_ms", "1st byte p50", "{:.1f}"),
    ("first_byte_p99_ms", "p99 ms", "{:.1f}"),
    ("stream_kb", "KB/stream", "{:.1f}"),
    ("idle_mb", "idle MB", "{:.0f}"),
    ("start_s", "start s", "{:.2f}"),
)
RATIOS = (("cpu_us", "call"), ("chunk_cpu_us", "chunk"))


def summarise(rounds, single, absent):
    """Medians over the rounds for each subject, and medians of the ratios taken within each round."""
    found = {}
    for name in rounds[0] if rounds else ():
        figures = [each[name] for each in rounds]
        found[name] = {key: median(each[key] for each in figures) for key in figures[0]} | single.get(name, {})
    return {"subjects": found, "ratios": _ratios(rounds), "absent": absent, "rounds": rounds}


def _ratios(rounds):
    """`{subject: {"call/nginx": ratio, ...}}`, over nginx and the stock proxies; first bytes without direct's."""
    ratios = {}
    for name in rounds[0] if rounds else ():
        for base in ("nginx", "stock", "stock-pool"):
            if base not in rounds[0]:
                continue
            of = ratios.setdefault(name, {})
            for key, label in RATIOS:
                of[f"{label}/{base}"] = median(each[name][key] / max(1e-9, each[base][key]) for each in rounds)
            of[f"first/{base}"] = median(_added(each, name) / max(1e-3, _added(each, base)) for each in rounds)
    return ratios


def _added(figures, name, key="first_byte_p50_ms"):
    return max(0.0, figures[name][key] - figures["direct"][key])


def table(results):
    """One line a subject: medians, then CPU as a multiple of nginx's and of the stock proxy's."""
    heads = ["", *(head for _, head, _ in COLUMNS), *("call x nginx", "x stock", "x stock-pool")]
    heads += ["chunk x nginx", "x stock", "errors"]
    lines = [heads]
    for name, figures in results["subjects"].items():
        ratios = results["ratios"].get(name, {})
        cells = [style.format(figures[key]) if key in figures else "-" for key, _, style in COLUMNS]
        wanted = ("call/nginx", "call/stock", "call/stock-pool", "chunk/nginx", "chunk/stock")
        cells += [f"{ratios[key]:.2f}" if key in ratios else "-" for key in wanted]
        lines.append([name, *cells, f"{figures['errors'] + figures['stream_errors']:.0f}"])
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    rows = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    notes = [f"{name}: not measured, {reason}" for name, reason in results["absent"].items()]
    return "\n".join(["", *rows, *notes, ""])


def verdicts(results):
    """Each target, what was measured, and whether it is met."""
    gateway = results["subjects"].get("gateway")
    if gateway is None:
        return "The gateway was not measured."
    lines = [
        f"{'met   ' if value <= limit else 'MISSED'}  {what}: {value:.3g} (at most {limit:.3g})"
        for what, value, limit in _targets(results, gateway)
        if value is not None
    ]
    flat = [f"        CPU per call with {name}: {ratio:.2f} x" for name, ratio in gateway.get("flat", {}).items()]
    return "\n".join([*lines, *flat])


def _targets(results, gateway):
    """(what, measured or None, limit) for each target of the project."""
    ratios = results["ratios"].get("gateway", {})
    rounds = results["rounds"]
    grown = gateway.get("growth")
    added = {key: _median_added(rounds, f"paced_{key}") for key in ("p50_ms", "p99_ms")}
    return (
        ("CPU per call, as a share of the stock proxy's", ratios.get("call/stock"), 1 / 12),
        ("CPU per call, as a multiple of nginx's", ratios.get("call/nginx"), 6.0),
        ("CPU per chunk, as a share of the stock proxy's", ratios.get("chunk/stock"), 1 / 2),
        (
            "first byte added with 200 streams at once, as a share of the stock proxy's",
            ratios.get("first/stock"),
            1 / 10,
        ),
        ("ms added at 500 calls/s, p50", added["p50_ms"], 0.5),
        ("ms added at 500 calls/s, p99", added["p99_ms"], 3.0),
        ("KB per open stream", gateway.get("stream_kb"), 25.0),
        ("MB grown after the first 20,000 calls", grown and grown["late_mb"] - grown["early_mb"], 2.0),
        ("seconds to the first answer", gateway.get("start_s"), 1.5),
        ("MB idle", gateway.get("idle_mb"), 90.0),
    )


def _median_added(rounds, key):
    found = [_added(each, "gateway", key) for each in rounds if key in each.get("gateway", {})]
    return median(found) if found else None
