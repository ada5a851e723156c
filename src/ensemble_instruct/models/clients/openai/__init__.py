"""The client of any server that speaks the OpenAI protocol."""
