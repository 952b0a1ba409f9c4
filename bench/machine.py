"""What the figures were measured on, and how."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

HOW = (
    "Product, websocket clients and Chromium run on this machine and share its cores, over loopback, one web process.",
    "A webhook is timed from just before its signed POST until the text is in the DOM of Chromium, by one clock.",
    "Every tab is another person with a session of their own; Chromium connects last, so it is told last.",
    "The clients say what Chromium said when it connected; whether each text was there once is counted afterwards.",
    "A send is timed from the click, in the page. A text is there when its element has a place on the screen.",
    "Pages load in a browser context of their own, so from an empty cache; transferred bytes are those on the wire.",
    "Faults, dispatch, announce, webhooks and poll run alone, in new districts; PostgreSQL waits for the disk.",
    "What became of texts over a bad carrier is judged by the simulator's log: each family, these words, once.",
    "A reply has left when its text is claimed for the request that hands it over, right before that request.",
    "The dispatcher's cost is the processor time of the worker's process, jobs and all.",
    "p95 is the smallest time that 95 % of the tries do not exceed. The frontend is built before anything is timed.",
)


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "os": _os(),
        "python": platform.python_version(),
        "reflex": version("reflex"),
        "commit": _commit(),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "how": list(HOW),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _os() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.system()} {platform.release()}"
    except OSError:
        return platform.platform()


def _commit() -> str:
    """With a plus when the checkout has changes of its own."""
    commit = _git("rev-parse", "--short", "HEAD")
    return commit + ("+" if commit and _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    asked = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return asked.stdout.strip()
