"""CGI behind lighttpd: a new Python process for each request.

Nothing is kept from one request to the next: not the interpreter, not the upstream's connection.
The number of connections is limited to the threads of the equal track, so that processes do not
pile up; for that lighttpd closes each connection after one answer. Its memory includes this
launcher, which only waits.
"""

from typing import Any

from servers.capabilities import DASHED, Capabilities
from servers.spec import Server

SERVER = Server(
    name="cgi-lighttpd",
    summary="a process per request, behind lighttpd",
    bottle="cgi",
    no_track={"as-shipped": "Bottle's adapter answers one CGI request, and starts no web server"},
    concurrent=16,
    capabilities=Capabilities(
        {
            "no-inventions": "lighttpd gives the answer to HEAD a length of 0",
            "targets": "lighttpd answers an encoded NUL itself",
            "underscores": DASHED,
            "keep-alive": "only the number of connections limits lighttpd's CGI processes",
            "pipelining": "lighttpd closes the connection after an answer here",
            "upstream-errors": "CGI cannot tell that a body of unknown length broke off",
        }
    ),
    system=("lighttpd",),
    programs=("lighttpd",),
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from servers.fronts import front
    from servers.fronts.cgi import program

    def lines(names: "list[str]") -> str:
        return "\n".join(f'    "{name}" => env.{name},' for name in names)

    template = "lighttpd/cgi.conf"
    with front("lighttpd", template, host, port, program(lines), threads=threads) as running:
        running.wait()
