"""Any server that speaks the OpenAI protocol.

    client          requests and replies as the protocol has them
    terms           the settings that a server takes, and those that are left out for it
    http            connections to one server, and replies of bounded size
    proxies         which proxy leads to a server
    tls             which certificates are trusted, and what a failed handshake means
    redirects       followed on the same server, to no other
    stream          a completion out of a stream of events
    parts           text, thought and refusal of a reply, apart
    secrets         keys found in what servers say, and taken out of it
    endings         why a reply ended, in the names that servers have for it
    usage           what a reply says of who answered, of its tokens and of its cost; what a failure took
    messages        what a server says of an error, without keys and prompt
    failures        what an error means
    wrong_path      what is wrong with an address at which nothing is
    rate_headers    what the headers of a reply say of rate limits

Public: `OpenAIClient` (in `client`).
"""
