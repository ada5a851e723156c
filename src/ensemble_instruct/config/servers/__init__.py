"""What a user says of a server: where it is, what goes to it with each request, and what it costs.

addresses     what the address of a server must look like
additions     headers, query and body that a user adds to requests
variables     `${NAME}` in a text: written as it is, sent as the environment has it
access        the key of a server, and what its headers and query need of the environment
prices        what a model costs: given, looked up by its name, or nothing
"""
