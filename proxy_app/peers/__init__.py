"""The app's peers: the same proxy on asyncio, to compare a Bottle stack with what it competes with.

asgi.py               an ASGI app, for uvicorn, hypercorn …
aiohttp_proxy.py      on aiohttp's own server, before one upstream or several
*_tutorial.py         either one as a blog post would have it: a session per request, whole bodies

All take the app's settings, route table, header rules and errors (rules.py), ask the upstream by
aiohttp's client (upstream.py), and carry WebSockets message by message (relay.py). They do not
answer with Server-Timing, and ONEHOP_CLIENT and ONEHOP_CHUNKED mean nothing to them.
"""
