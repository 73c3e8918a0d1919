"""The ASGI proxy as a tutorial has it: a session per request, both bodies whole in memory.

    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, data=await request.body()) as response:
            return Response(await response.read(), response.status)

Every request opens a connection and closes it. The rules are those of asgi.py, so that what is
measured is this habit alone; what a blog would leave out (cookies, redirects, limits) is in.
"""

from proxy_app.peers.asgi import Out, Proxy, Request, Scope, carry_by
from proxy_app.peers.relay import Receive, Send
from proxy_app.peers.rules import Ask, is_handshake
from proxy_app.peers.upstream import exchange, new_session, read_whole


class TutorialProxy(Proxy):
    """Answers as Proxy does."""

    async def lifespan(self, receive: Receive, send: Send) -> None:
        """Nothing is shared: there is nothing to start."""
        for _ in range(2):
            event = await receive()
            await send({"type": event["type"] + ".complete"})

    async def answer(self, ask: Ask, receive: Receive, out: Out) -> None:
        """Raises a Fault before the head is out."""
        is_handshake(ask)
        own = self.rules.own_answer(ask)
        if own:
            await out.whole(own)
            return
        rules, body, request = self.rules, None, Request(receive)
        if rules.body_length(ask.environ) is not None:
            pieces = [await request.piece()]
            while not request.complete:
                pieces.append(await request.piece())
            body = b"".join(pieces)
            rules.check_size(len(body))
        async with new_session(self.settings) as session:
            response = await exchange(session, ask, rules.request_headers(ask), body)
            content = await read_whole(response)
        headers, length = rules.answer_headers(ask, response.status, response.raw_headers)
        bodiless = ask.method == "HEAD" or response.status in (204, 304)
        await out.head(response.status, headers, length if bodiless else len(content))
        await out.last(content)

    async def carry(self, ask: Ask, scope: Scope, receive: Receive, send: Send) -> None:
        async with new_session(self.settings) as session:
            await carry_by(session, self.rules, ask, scope, receive, send)
