"""A run in the browser: every row, every drop, and how each came about.

`queries` reads the run's database, `server` answers on 127.0.0.1, `page.*` is what the browser shows.
"""
