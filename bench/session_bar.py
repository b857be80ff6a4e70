"""What sessions are asked to reach, and why a network does not."""

from typing import Any

ASKED = {("onnxruntime", "fp32"): 1.8, ("onnxruntime", "int8"): 4.0, ("openvino", "bf16"): 2.5}
"""Times eager torch's images/s: `pose` on two cores at batch 32 (the project's choice)."""
GRAPH, BATCH = "pose", 32
LITTLE_GFLOP = 1.0
"""Of an image. The small preset has 0.1, the paper's sizes several."""


def missed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """{network, backend, precision, ratio, asked, gflop_per_image} of every session that was asked for more;
    none for other graphs and batches. rows: as `measure_sessions` makes them, with their network."""
    found = []
    measured = [row for row in rows if (row["graph"], row["batch"]) == (GRAPH, BATCH)]
    torch_rates = {row["network"]: row["images_per_s"] for row in measured if row["backend"] == "torch"}
    for row in measured:
        asked = ASKED.get((row["backend"], row["precision"]), 0.0)
        ratio = row["images_per_s"] / torch_rates[row["network"]]
        if ratio < asked:
            names = {key: row[key] for key in ("network", "backend", "precision", "gflop_per_image")}
            found.append(names | {"ratio": ratio, "asked": asked})
    return found


def reasons(misses: list[dict[str, Any]]) -> list[str]:
    """A sentence for each, and one that says why, for networks that are small."""
    lines = [
        f"{miss['network']}: {miss['backend']} {miss['precision']} reaches {miss['ratio']:.2f} times eager "
        f"torch, asked for {miss['asked']:g} (two cores, {GRAPH}, batch {BATCH})."
        for miss in misses
    ]
    for network, gflop in {miss["network"]: miss["gflop_per_image"] for miss in misses}.items():
        if gflop < LITTLE_GFLOP:
            lines.append(
                f"{network} is {gflop:.2f} GFLOP an image: at so little, what precision does not speed up is "
                "a large part of an engine's time: sampling the frame twice, the localiser and φ, fp32 in "
                "every engine. untrained:paper shows the same engines at the paper's sizes."
            )
    return lines
