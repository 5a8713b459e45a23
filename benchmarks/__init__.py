"""Ratios against a bare scan and named peers, side by side in one run."""
