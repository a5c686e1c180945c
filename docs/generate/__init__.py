"""Writes the reference pages below `docs/reference/` from the code, and fills the parts of the site's navigation that are folders.

Each module renders one thing: `kinds` the custom resources, `settings` the operator's settings, `reasons` the condition reasons. `python -m docs.generate`
writes the pages, and with `--check` says whether they are those of the code.
"""
