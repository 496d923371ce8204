"""The dashboard: how the programme is doing, on one page."""
