"""Makes the embedded models: corpus, tokenizer, training, conversion, evaluation, and the way to `transformers`."""
