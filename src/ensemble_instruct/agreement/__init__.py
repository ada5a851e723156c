"""Which output the models agree on."""
