"""Models that run in this process, by a library that the user installs.

    local                 a client over an engine, and what such clients need before anything is loaded
    engine                what a library looks like from outside, and one request in it
    batches               requests that wait go together; the threads that work on them
    chat_template         the chat template of a model's folder
    reply_text            the text of a reply, token by token, up to a stop string
    ctranslate2           converted models, small ones with a seed for each request
    ctranslate2_folder    what such a model's folder says of itself
    gguf_file             what a GGUF file says of itself
    llamacpp              GGUF files, on llama.cpp
    transformers          any model that `transformers` loads
    vllm                  vLLM's engine, which makes its batches itself

Public: a client class in `ctranslate2`, `llamacpp`, `transformers` and `vllm`, named in the table of `clients`.
"""
