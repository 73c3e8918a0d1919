"""CGI behind Apache (event MPM, mod_cgi): a new Python process for each request.

Nothing is kept from one request to the next: not the interpreter, not the upstream's connection.
A thread of Apache waits for each process, so its threads limit the processes, and idle connections
take none. Its memory includes this launcher, which only waits.
CGI has no way to tell a program that a body without a length was cut: that is not cured from here.
"""

from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.hardening import Holes
from servers.spec import IDLE_S, Server

SERVER = Server(
    name="cgi-apache",
    summary="a process per request, behind Apache",
    holes=Holes({"cut-body": "in a chunk: the upstream takes it for whole"}),
    bottle="cgi",
    no_track={"as-shipped": "Bottle's adapter answers one CGI request, and starts no web server"},
    concurrent=16,
    idle_s=IDLE_S,
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "upstream-errors": "CGI cannot tell that a body of unknown length broke off",
        }
    ),
    system=("apache2",),
    programs=("apache2",),
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from servers.fronts import front
    from servers.fronts.cgi import program
    from servers.fronts.programs import APACHE_MODULES

    values = {"threads": threads, "modules": APACHE_MODULES}
    with front("apache2", "apache/cgi.conf", host, port, program(" ".join), **values) as running:
        running.wait()
