"""Any server that speaks the OpenAI protocol.

    client          requests and replies as the protocol has them, and what servers make of it
    http            connections to one server, and replies of bounded size
    parts           text, thought and refusal of a reply, apart
    rate_headers    what the headers of a reply say of rate limits

Public: `OpenAIClient` (in `client`).
"""
