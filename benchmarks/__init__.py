"""Measures. Nothing here is a test.

Programs that print a table and write JSON on request: beside, candidates, cores, end_to_end, gatys, gpu, latency, levels,
memory, noise, quality, speed, stability, stills, video. Programs that write pictures to look at: contact_sheets, previews,
side_by_side, trained_candidates. The rest (camera_noise, loss_plot, networks, peak, processes, ready_frames, reference, report,
scatter_plot) is what they share.
"""

from realtime.program.packages import check_room

NEED_TORCH = frozenset(
    {
        "candidates",
        "gatys",
        "gpu",
        "levels",
        "noise",
        "peak",
        "quality",
        "reference",
        "speed",
        "stability",
        "trained_candidates",
    }
)
check_room("torch", "onnx", "onnxscript", programs=NEED_TORCH)
