"""How many requests a server gets at a time, and which goes next.

burst        what the first requests tell of a server
climb        the limit with which a server gives most, found by trials
dispatcher   which server of a model a request goes to, and when
gate         in front of one server: how many requests it gets at a time
limit        how that number falls where it refuses them (AIMD)
rates        ceilings of requests and tokens a minute
stragglers   which requests last far longer than others, and are asked again
"""
