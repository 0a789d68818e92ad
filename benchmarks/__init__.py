"""Measurements. Figures are ratios within one run wherever that is possible: machines are noisy."""
