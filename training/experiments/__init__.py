"""The experiments behind the papers' tables and our own, the collected measurements, and the results page."""
