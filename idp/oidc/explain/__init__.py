"""Why was a request refused? A reference in the answer leads to what arrived, what was expected and the fix.

Spec: none; the clauses are in `protocol/refusals.py`.
"""
