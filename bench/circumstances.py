"""When and on what kind of day a figure was measured."""

import os
from datetime import date


def circumstances() -> dict[str, object]:
    """date: of the measurement. load_average: processes that wanted a processor in the last minute; one
    that is well above 0 before the measurement means a disturbed machine. None where it is not told."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"date": date.today().isoformat(), "load_average": load}
