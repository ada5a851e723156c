"""A run on one page: HTML for people, the same numbers as JSON for programs. It reads a run and changes nothing.

Numbers come first, then what is drawn of them, then the page:

    report       the parts of a report, each out of what one state of the database holds; the object of `--json`
    parts        what each part says: setup, totals, votes, texts, costs
    file_report  the same parts out of a file that belongs to no run
    records      the records of a run, each table read once, texts in samples
    matrix       mean agreement of each two voters
    requests     the requests of a run: tokens, cost and time by model, answers over time
    verbs        what instructions ask for: root verbs and their objects
    histograms   counts between round edges, texts as far as they are shown
    charts       shapes of bars, bands and rings, out of numbers
    wording      the words of the page, and how it writes numbers
    context      what the templates are given, section by section
    page         the templates, and the file that is written
    templates/   HTML and CSS

Public: `Report`, `read_report` and `report_json` in `report`, `write_report` in `page`.
"""
