"""The aiohttp proxy as a tutorial has it: a session per request, both bodies whole in memory.

Every request opens a connection and closes it, as in

    async def handle(request):
        async with aiohttp.ClientSession() as session:
            async with session.request(request.method, url, data=await request.read()) as response:
                return web.Response(body=await response.read(), status=response.status)

The rules are those of aiohttp_proxy.py, so that what is measured is this habit alone.
"""

from aiohttp import web

from proxy_app.peers.aiohttp_proxy import (
    Proxy,
    carry_by,
    complete,
    pieces_of,
    say_continue,
    whole,
)
from proxy_app.peers.rules import Ask, is_handshake
from proxy_app.peers.upstream import exchange, new_session, read_whole


class TutorialProxy(Proxy):
    """Answers as Proxy does."""

    async def start(self) -> None:
        """Nothing is shared."""

    async def answer(self, ask: Ask, request: web.BaseRequest) -> web.StreamResponse:
        if is_handshake(ask):
            return await self.carry(ask, request)
        own = self.rules.own_answer(ask)
        if own:
            return whole(own, ask.method)
        rules, body = self.rules, None
        if rules.body_length(ask.environ) is not None:
            await say_continue(request)
            body = b"".join([piece async for piece in pieces_of(request)])
            rules.check_size(len(body))
        async with new_session(self.settings) as session:
            upstream = await exchange(session, ask, rules.request_headers(ask), body)
            content = await read_whole(upstream)
        headers, length = rules.answer_headers(ask, upstream.status, upstream.raw_headers)
        return complete(upstream.status, upstream.reason, headers, length, content)

    async def carry(self, ask: Ask, request: web.BaseRequest) -> web.StreamResponse:
        async with new_session(self.settings) as session:
            return await carry_by(session, self.rules, ask, request)
