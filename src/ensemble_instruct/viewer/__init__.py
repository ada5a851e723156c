"""A run in the browser: every row, every drop, and how each came about; on this machine alone, while it runs and after.

    queries   what is shown, as objects ready for JSON, out of a read-only connection
    server    the API and the files of the page on 127.0.0.1
    page.*, detail.js, icon.svg   what the browser gets; nothing comes from elsewhere

Public: `serve` in `server`.
"""
