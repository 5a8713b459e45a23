"""Does the mixed model say what other programs say? Every number of every reference case.

The cases hold data of our own simulation and the numbers of established programs at full precision.
:mod:`~outcomes.conformance.cases` reads them, :mod:`~outcomes.conformance.pairs` fits the models
and puts number beside number, :mod:`~outcomes.conformance.compare` measures,
:mod:`~outcomes.conformance.wrong` knows how far the nearest wrong answers are, and
:mod:`~outcomes.conformance.table` lays it all out. No study uses any of it.
"""
