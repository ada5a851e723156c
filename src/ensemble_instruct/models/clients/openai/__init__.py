"""Any server that speaks the OpenAI protocol.

    client          requests and replies as the protocol has them, and what servers make of it
    http            connections to one server, and replies of bounded size
    proxies         which proxy leads to a server
    tls             which certificates are trusted, and what a failed handshake means
    redirects       followed on the same server, to no other
    parts           text, thought and refusal of a reply, apart
    secrets         keys taken out of what servers say
    rate_headers    what the headers of a reply say of rate limits
    usage           what a reply says of who answered, of its tokens and of its cost

Public: `OpenAIClient` (in `client`).
"""
