"""One module an analysis: its settings, function, measures and figures. Each holds `ANALYSIS`, its record."""
