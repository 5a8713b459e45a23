"""What the toolkit knows, as files that a clinician can read, correct and sign.

Everything under ``data/`` is a fact with its source key (``sources.toml``), its confidence
(``verified``: seen in the named source; ``memory``: known, not looked up) and its review (who,
when, next due). The modules here only read: they hold no number of their own. No wording of any
questionnaire is kept.
"""
