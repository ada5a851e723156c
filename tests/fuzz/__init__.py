"""Whatever bytes come from elsewhere, a parser reads them or says in one line why not: found by trying.

Each test begins with what people and servers write, and mangles it. In the suite a few examples of each are tried, the
same ones each time; `make fuzz EXAMPLES=20000` tries many, others each time, and prints how to repeat what fails.
"""
