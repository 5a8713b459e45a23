"""Synthetic records with a planted truth: realistic to practise on, known enough to test with."""

from outcomes.simulate.files import make_records, write_records

__all__ = ["make_records", "write_records"]
